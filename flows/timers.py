"""Whose time comes next? The earliest timers of a shard, however many users sleep in the ledger."""

from __future__ import annotations

import heapq

from flows.merge import ALWAYS, NEVER

Timer = tuple[int, str]
"""(due, user)"""


class Timers:
    """A heap of every timer due up to `horizon`; later ones are only in the ledger, or on their way there.

    An entry is a hint: the user's own `due` is the truth, so a moved timer just leaves a stale hint behind.
    `limit` bounds the heap: past twice as many, the later half is left to the ledger.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[Timer] = []
        self._tied: list[Timer] = []  # of one moment of which a round has taken some
        self.horizon = NEVER

    def __len__(self) -> int:
        return len(self._heap) + len(self._tied)

    def set(self, user_id: str, due: int) -> None:
        if due <= self.horizon:
            heapq.heappush(self._heap, (due, user_id))
            if len(self._heap) > 2 * self._limit:
                self._shrink()

    def pace(self, before: int, most: int) -> tuple[int, int]:
        """How far towards `before` time may pass so that about `most` timers are due, and how many are.

        More are only where they are of one moment, which `pop_due` then takes by `most`. Not past what is loaded.
        """
        before = min(before, self.horizon + 1)
        if self.earliest >= before:
            return before, 0
        if self._tied:
            return self.earliest + (most > 0), min(most, len(self._tied))
        count = self._count(before, most + 1)
        if count <= most:
            return before, count
        last = heapq.nsmallest(most + 1, self._heap)[-1][0]
        return last + (most > 0 and self._heap[0][0] == last), most

    def pop_due(self, before: int, most: int = ALWAYS) -> list[Timer]:
        """Timers due before `before`, in order; complete only while `horizon` >= `before` - 1.

        Of more than `most` the others are `tied`: they must be of one moment, and are taken first the next time.
        """
        found = self.pop_new(before)
        if self.tied < before:
            found, self._tied = sorted(self._tied + found), []
        if len(found) > most:
            self._tied = found[most:]
            del found[most:]
        return found

    def pop_new(self, before: int) -> list[Timer]:
        """As `pop_due`, without those that are tied: what has been set since then."""
        heap, found = self._heap, []
        while heap and heap[0][0] < before:
            found.append(heapq.heappop(heap))
        return found

    def extend(self, timers: list[Timer], limit: int) -> None:
        """Take over what the ledger had later than `horizon`, asked for `limit` of them."""
        self._heap += timers
        heapq.heapify(self._heap)
        self.horizon = timers[-1][0] if len(timers) >= limit else ALWAYS

    @property
    def earliest(self) -> int:
        """When the first hint is due."""
        return min(self._heap[0][0] if self._heap else ALWAYS, self.tied)

    @property
    def tied(self) -> int:
        """The moment of which a round has taken only some; ALWAYS if there is none."""
        return self._tied[0][0] if self._tied else ALWAYS

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
        kept = heapq.nsmallest(self._limit, self._heap)
        self.horizon = kept[-1][0] - 1
        self._heap = [timer for timer in kept if timer[0] <= self.horizon]
        heapq.heapify(self._heap)
