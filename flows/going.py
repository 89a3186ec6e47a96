"""Which parcels are with the publisher, and are they out? The flow goes on meanwhile, for a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from connectors.publisher import Parcel, Publisher
from connectors.traces import Traces
from flows.observe import note_published
from flows.shard import Shard

_GOES_SECONDS = 0.25  # so long the flow goes on: then what waits behind it would become too much


class Going:
    """One round of parcels at a time."""

    def __init__(
        self, publisher: Publisher, monotonic: Callable[[], float], traces: Traces | None = None
    ) -> None:
        self._publisher = publisher
        self._monotonic = monotonic
        self._traces = traces
        self._since = 0.0
        self.parcels: Sequence[Parcel] = ()

    def begin(self, parcels: Sequence[Parcel]) -> None:
        self._publisher.begin(parcels)
        if self._traces is not None:
            self._traces.begun()
        self.parcels, self._since = parcels, self._monotonic()

    def is_over(self, shards: Mapping[int, Shard], *, wait: bool) -> bool:
        """If so its shards know it. Waits for it where told to, or where it takes long. Raises what `outcome` does."""
        if not self.parcels:
            return True
        wait = wait or self._monotonic() - self._since >= _GOES_SECONDS
        positions = self._publisher.outcome(wait=wait)
        if positions is None:
            return False
        parcels = self.parcels
        self.forget()
        note_published(parcels)
        if self._traces is not None:
            self._traces.published(parcels, self._monotonic() - self._since)
        for parcel in parcels:
            shards[parcel.shard].outbox.published(parcel, positions.get(parcel.shard))
        return True

    def forget(self) -> None:
        """The shards are given up; the publisher itself sees to it that nothing comes true too late."""
        self.parcels = ()
