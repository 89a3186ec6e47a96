"""In which order do a shard's events happen? Its topics merged by event time, and how far that time has come.

Within a lane the order of the log is kept: a record takes the latest time seen in its lane so far, so what
is released is always a prefix of each lane and the marks stay true. A lane read to its end holds nobody
back; any other lane holds back what is later than its own last record, so in a backlog the topic that is
ahead waits and a timer never fires before a purchase that is still unread.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from connectors.log import NEVER_KNOWN, Lane

NEVER = -1
ALWAYS = 1 << 62


class LaneQueue:
    """Decoded records of one lane that wait to be released, with their effective times and offsets."""

    def __init__(self, lane: Lane, opened_at: int) -> None:
        self.lane = lane
        self.mark = f"{lane[0]}/{lane[1]}"
        self.items: list[Any] = []
        self.times: list[int] = []
        self.offsets: list[int] = []
        self.reached = NEVER
        self.drained = False  # read to an end that was its end once;
        self.known_at = NEVER_KNOWN  # when (monotonic seconds) that was last known to be so,
        self.known_wall = ALWAYS  # and by the wall
        self.ended = False  # and that is not long ago
        self.arrived_at = opened_at

    def push(self, items: Sequence[Any], times: Sequence[int], offsets: Sequence[int], wall_now: int) -> None:
        """`times` are event times, NEVER for a record that has none (a dead letter)."""
        reached = self.reached
        effective = []
        for ts in times:
            reached = max(reached, ts)
            effective.append(reached)
        if max(times, default=NEVER) > NEVER:
            # Bad records alone are silence: they say no time, and must not stop it.
            self.arrived_at = wall_now
        self.reached = reached
        self.items += items
        self.times += effective
        self.offsets += offsets
        self.ended = self.drained = False

    def end_known(self, known_at: float) -> None:
        """It was read to its end, and at `known_at` (monotonic seconds) nothing more was there."""
        self.drained, self.known_at = True, max(self.known_at, known_at)

    def look(self, now: float, wall_now: int | None, known_for: float) -> None:
        """Is it still at its end? Only for so many seconds after that was known: then somebody may have written."""
        age = now - self.known_at
        self.ended = self.drained and age <= known_for
        if self.ended and wall_now is not None:
            self.known_wall = wall_now - int(age * 1000)

    def take(self, bound: int) -> tuple[list[Any], list[int], int]:
        """Items and times up to `bound`, and the offset of the last one."""
        cut = bisect_right(self.times, bound)
        items, times, last = self.items[:cut], self.times[:cut], self.offsets[cut - 1] if cut else NEVER
        del self.items[:cut], self.times[:cut], self.offsets[:cut]
        return items, times, last

    def vouched(self, wall_now: int, idle_after: int) -> int:
        """How far time has come here. The wall may speak for a lane at its end where nothing has come for a while,

        as of when that was last known: what has been written since has its time after that.
        """
        if not self.ended or self.items:
            return self.reached
        wall = min(wall_now, self.known_wall)
        return wall if wall - self.arrived_at >= idle_after else self.reached


class Merge:
    """The lanes of one shard, opened at `opened_at` (wall). `release` is the only way out."""

    def __init__(self, lanes: Sequence[Lane], opened_at: int = 0) -> None:
        self.queues = {lane: LaneQueue(lane, opened_at) for lane in lanes}
        self.cut = False

    @property
    def waiting(self) -> bool:
        """Is anything queued?"""
        return any(queue.items for queue in self.queues.values())

    @property
    def queued(self) -> int:
        return sum(len(queue.items) for queue in self.queues.values())

    @property
    def ended(self) -> bool:
        """Every lane is read to its end and everything is released."""
        return all(queue.ended and not queue.items for queue in self.queues.values())

    @property
    def ahead(self) -> list[LaneQueue]:
        """Lanes that wait for another one."""
        bound, behind = self._behind()
        return [queue for queue in self.queues.values() if queue is not behind and queue.reached >= bound]

    @property
    def ready(self) -> int:
        """How many records may be released."""
        bound, behind = self._behind()
        count = 0
        for queue in self.queues.values():
            if queue.items:
                count += bisect_right(queue.times, bound)
            if queue is behind and bound > NEVER:
                bound -= 1  # as in `release`
        return count

    def release(self, limit: int = ALWAYS, until: int = ALWAYS) -> tuple[list[Any], dict[str, int]]:
        """What may be applied now, in order, and the marks that are true when it has been.

        About `limit` of it, the earliest: more only where they are of one instant; none is later than `until`. `cut`:
        there is more.
        """
        if not self.waiting:  # most rounds of a shop that is up to date
            self.cut = False
            return [], {}
        ready, holding = self._behind()
        bound = min(until, ready if self.queued <= limit else self._instant_of(limit, ready))
        limited = bound < ready
        if limited:
            holding = None
        taken: list[tuple[list[Any], list[int]]] = []
        marks: dict[str, int] = {}
        for queue in self.queues.values():
            if queue.items:
                items, times, last = queue.take(bound)
                if items:
                    taken.append((items, times))
                    marks[queue.mark] = last
            if queue is holding and bound > NEVER:
                bound -= 1  # more of this instant may come here, and goes before that of the topics to follow
        self.cut = limited and any(queue.items and queue.times[0] <= ready for queue in self.queues.values())
        if len(taken) == 1:
            return taken[0][0], marks
        items = [item for part, _ in taken for item in part]
        times = [ts for _, part in taken for ts in part]
        # Stable: lanes are in canonical order, so events of one instant keep the order of their topics.
        return [items[i] for i in sorted(range(len(items)), key=times.__getitem__)], marks

    def _behind(self) -> tuple[int, LaneQueue | None]:
        """The first of the lanes that are read least far and not at their end, and how far that is."""
        bound, behind = ALWAYS, None
        for queue in self.queues.values():
            if not queue.ended and queue.reached < bound:
                bound, behind = queue.reached, queue
        return bound, behind

    def _instant_of(self, limit: int, bound: int) -> int:
        """Up to when are there `limit` records? `bound` where there are no more than that until then."""
        ready = [queue.times[: bisect_right(queue.times, bound)] for queue in self.queues.values()]
        if sum(map(len, ready)) <= limit:
            return bound
        return sorted(ts for times in ready for ts in times[:limit])[limit - 1] if limit else NEVER - 1

    def within_reach(self, wall_now: int | None, idle_after: int) -> int:
        """How far time may come now, when all that may be released is; in a replay no further than its records."""
        lanes = self.queues.values()
        if wall_now is None:
            held = [queue.reached for queue in lanes if not queue.ended]
            return min(held) if held else max(queue.reached for queue in lanes)
        return min(queue.vouched(wall_now, idle_after) for queue in lanes)

    def reached(self, wall_now: int | None, idle_after: int) -> int:
        """How far time has come: every event not later than this has been released.

        Each lane vouches for its own last record; an idle one for the wall clock; without a wall clock
        (`wall_now` None: replay) a lane read to its end stands in nobody's way.
        """
        reached = ALWAYS
        for queue in self.queues.values():
            if wall_now is None:
                vouched = ALWAYS if queue.ended and not queue.items else queue.reached
            else:
                vouched = queue.vouched(wall_now, idle_after)
            if queue.items:
                vouched = min(vouched, queue.times[0] - 1)
            reached = min(reached, vouched)
        return reached
