"""What has been called out to this shard's users and is not over, and how far has it come with telling them?"""

from __future__ import annotations

from collections.abc import Mapping

from connectors import metrics
from state.calls import Calling, Context, pack_call, unpack_call
from state.ledger import Blob
from state.letters import id_of

KEPT_LIMIT = 256  # told to all and not over: whoever comes to the audience later still hears of them
UNDER_WAY_LIMIT = 64  # with more, the shard reads nothing until it has told some to the end


class Calls:
    """Of one shard; `stored` is what its ledger has."""

    def __init__(self, stored: Mapping[str, Blob]) -> None:
        self._by_name = {name: unpack_call(blob) for name, blob in stored.items()}
        # In the order of their numbers; the same list all the time, so that hot code may hold it.
        self.under_way = sorted((c for c in self._by_name.values() if not c.done), key=lambda c: c.number)
        self._changed: dict[str, Blob | None] = {}

    @property
    def changed(self) -> bool:
        return bool(self._changed)

    @property
    def crowded(self) -> bool:
        return len(self.under_way) > UNDER_WAY_LIMIT

    def take(self) -> dict[str, Blob | None]:
        """For a commit."""
        changed, self._changed = self._changed, {}
        return changed

    def begin(self, audience: str, content: Context, clock: int) -> bool:
        """A call has come; False if it is known.

        Numbers go by the shard's clock, so that they still grow when all earlier calls are forgotten.
        """
        name = _name(audience, content)
        if name in self._by_name:
            return False
        last = max((calling.number for calling in self._by_name.values()), default=-1)
        calling = self._by_name[name] = Calling(audience, max(clock, last + 1), content)
        self.under_way.append(calling)
        self.note(calling)
        self._make_room()
        return True

    def note(self, calling: Calling) -> None:
        """It has come further."""
        self._changed[_name(calling.audience, calling.content)] = pack_call(calling)
        if calling.done and calling in self.under_way:
            self.under_way.remove(calling)

    def of(self, audience: str) -> list[Calling]:
        """Those for this audience, in order."""
        found = [calling for calling in self._by_name.values() if calling.audience == audience]
        return sorted(found, key=lambda calling: calling.number)

    def forget(self, watermark: int, lateness: int) -> None:
        """What is over, told to the end, and would be too late if it were said again."""
        for name, calling in [*self._by_name.items()]:
            if calling.done and max(calling.content.ends_at + lateness, calling.number) < watermark:
                self._drop(name)

    def _make_room(self) -> None:
        """What ends first goes; never what is still being told."""
        done = [name for name, calling in self._by_name.items() if calling.done]
        if len(done) > KEPT_LIMIT:
            metrics.LIMIT_HITS.labels(limit="calls").inc()
            self._drop(min(done, key=lambda name: (self._by_name[name].content.ends_at, name)))

    def _drop(self, name: str) -> None:
        del self._by_name[name]
        self._changed[name] = None


def _name(audience: str, content: Context) -> str:
    return id_of("call", content.event_id, audience)
