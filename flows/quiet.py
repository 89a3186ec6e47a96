"""Is everything read and everything out? So a run that ends when it has caught up knows that it has."""

from __future__ import annotations

from collections.abc import Callable, Collection

from flows.shard import Shard, ShardBatch

_QUIET_SECONDS = 0.5


class Quiet:
    """`follows`: letters come back in, so that it must hold for a moment. `busy_until`: the last round with events."""

    def __init__(self, *, follows: bool, monotonic: Callable[[], float]) -> None:
        self._follows = follows
        self._monotonic = monotonic
        self._since: float | None = None
        self.busy_until = 0.0

    def holds(self, batches: Collection[ShardBatch], shards: Collection[Shard], *, caught_up: bool) -> bool:
        """Nothing to read and nothing on its way out; on a followed log for a moment."""
        busy = any(b.items for b in batches) or any(shard.busy for shard in shards)
        if any(b.items for b in batches):
            self.busy_until = self._monotonic()
        if busy or not caught_up:
            self._since = None
            return False
        now = self._monotonic()
        self._since = self._since or now
        return not self._follows or now - self._since >= _QUIET_SECONDS
