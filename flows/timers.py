"""Whose time comes next? The earliest timers of a shard, however many users sleep in the ledger."""

from __future__ import annotations

import heapq

from msgspec import Struct

from connectors import metrics
from flows.merge import ALWAYS, NEVER
from state.ledger import Ledger

Timer = tuple[int, str]
"""(due, user)"""


class Pace(Struct, frozen=True):
    """Time may pass `until` then, `due` timers are due before. `ties`: so many of that very moment may fire, too."""

    until: int
    due: int = 0
    ties: int = 0


class Timers:
    """A heap of every timer due up to `horizon`; later ones are only in the ledger, or on their way there.

    An entry is a hint: the user's own `due` is the truth, so a moved timer just leaves a stale hint behind.
    `limit` bounds the heap: past twice as many, the later half is left to the ledger when the next round begins.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[Timer] = []
        self.horizon = NEVER

    def __len__(self) -> int:
        return len(self._heap)

    def begin(self, ledger: Ledger, shard: int, owner: str) -> None:
        """The first ones, so that no event must wait a round for them; not those of who came after `owner` already."""
        first = ledger.load_timers(shard, NEVER, self._limit)
        if ledger.owners([shard]) == [owner]:
            self.extend(first, self._limit)

    @property
    def earliest(self) -> int:
        """When the first hint is due."""
        return self._heap[0][0] if self._heap else ALWAYS

    def set(self, user_id: str, due: int) -> None:
        if due <= self.horizon:
            heapq.heappush(self._heap, (due, user_id))

    def pace(self, before: int, most: int) -> Pace:
        """How far towards `before` a round may let time pass, if `most` timers may fire; not past what is loaded.

        Where the first ones are of one moment and more than that, time comes to it and stays until all are done.
        """
        if len(self._heap) > 2 * self._limit:
            self._shrink()
        heap, before = self._heap, min(before, self.horizon + 1)
        if self.earliest >= before:
            return Pace(before)
        if not most:
            return Pace(self.earliest)
        count = self._count(before, most + 1)
        if count <= most:
            return Pace(before, count)
        metrics.LIMIT_HITS.labels(limit="due_timers").inc()
        until = heapq.nsmallest(most + 1, heap)[-1][0]
        return Pace(until, most, most if heap[0][0] == until else 0)

    def pop_due(self, before: int) -> list[Timer]:
        """Timers due before `before`, in order; complete only while `horizon` >= `before` - 1."""
        heap, found = self._heap, []
        while heap and heap[0][0] < before:
            found.append(heapq.heappop(heap))
        return found

    def pop_ties(self, moment: int, most: int) -> list[Timer]:
        """Some of those that are due at this moment, if no earlier one is left."""
        heap = self._heap
        found: list[Timer] = []
        while len(found) < most and heap and heap[0][0] == moment:
            found.append(heapq.heappop(heap))
        return found

    def extend(self, timers: list[Timer], limit: int) -> None:
        """Take over what the ledger had later than `horizon`, asked for `limit` of them."""
        self._heap += timers
        heapq.heapify(self._heap)
        self.horizon = timers[-1][0] if len(timers) >= limit else ALWAYS

    def _count(self, before: int, enough: int) -> int:
        """How many of the heap are due before, counted no further than `enough`."""
        heap, count, places = self._heap, 0, [0]
        while places and count < enough:
            place = places.pop()
            if place < len(heap) and heap[place][0] < before:
                count += 1
                places += (2 * place + 1, 2 * place + 2)
        return count

    def _shrink(self) -> None:
        """To whole moments, of which the first stays in any case."""
        last = heapq.nsmallest(self._limit, self._heap)[-1][0]
        self.horizon = max(last - 1, self.earliest)
        self._heap = [timer for timer in self._heap if timer[0] <= self.horizon]
        heapq.heapify(self._heap)
