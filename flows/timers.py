"""Whose time comes next? The earliest timers of a shard, however many users sleep in the ledger."""

from __future__ import annotations

import heapq

from flows.merge import ALWAYS, NEVER


class Timers:
    """A heap of every timer due up to `horizon`; later ones are only in the ledger, or on their way there.

    An entry is a hint: the user's own `due` is the truth, so a moved timer just leaves a stale hint behind.
    `limit` bounds the heap: past twice as many, the later half is left to the ledger.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[int, str]] = []
        self.horizon = NEVER

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, user_id: str, due: int) -> None:
        if due <= self.horizon:
            heapq.heappush(self._heap, (due, user_id))
            if len(self._heap) > 2 * self._limit:
                self._shrink()

    def pop_due(self, before: int) -> list[tuple[int, str]]:
        """Timers due before `before`, in order; complete only while `horizon` >= `before` - 1."""
        heap, found = self._heap, []
        while heap and heap[0][0] < before:
            found.append(heapq.heappop(heap))
        return found

    def extend(self, timers: list[tuple[int, str]], limit: int) -> None:
        """Take over what the ledger had later than `horizon`, asked for `limit` of them."""
        self._heap += timers
        heapq.heapify(self._heap)
        self.horizon = timers[-1][0] if len(timers) >= limit else ALWAYS

    @property
    def earliest(self) -> int:
        """When the first hint of the heap is due."""
        return self._heap[0][0] if self._heap else ALWAYS

    def next_due(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def _shrink(self) -> None:
        kept = heapq.nsmallest(self._limit, self._heap)
        self.horizon = kept[-1][0] - 1
        self._heap = [timer for timer in kept if timer[0] <= self.horizon]
        heapq.heapify(self._heap)
