"""Is what the merge releases in order, complete per lane, and never ahead of what is unread?"""

from __future__ import annotations

from copy import deepcopy
from itertools import accumulate
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from connectors.log import Lane
from flows.merge import ALWAYS, NEVER, Merge

LANES: tuple[Lane, ...] = (("clickstream", 0), ("orders", 0), ("letters", 0))
IDLE_AFTER = 10


class Item(Struct, frozen=True):
    """A record by its place; `time` is the latest event time its lane had reached with it."""

    lane: int
    offset: int
    time: int


class Plan(Struct):
    """What each lane holds (event times, NEVER: a dead letter), and in which portions it is read.

    A step (lane, records, released): read so many of the lane, then release or not.
    """

    lanes: list[list[int]]
    steps: list[tuple[int, int, int | None]]


class Reading:
    """Plays a plan; checks after every release what must hold of it."""

    def __init__(self, lanes: list[list[int]]) -> None:
        self.log = [
            [Item(number, offset, time) for offset, time in enumerate(accumulate(times, max))]
            for number, times in enumerate(lanes)
        ]
        self.times = lanes
        self.merge = Merge(LANES)
        self.read = [0] * len(lanes)
        self.released: list[Item] = []
        self.marks: dict[str, int] = {}
        self.reached = NEVER

    def take(self, lane: int, count: int) -> None:
        """A lane's end is told when it is there, as the broker does."""
        first = self.read[lane]
        portion = self.log[lane][first : first + count]
        queue = self.merge.queues[LANES[lane]]
        if portion:
            self.read[lane] += len(portion)
            times = self.times[lane][first : first + count]
            queue.push(portion, times, [item.offset for item in portion], wall_now=0)
        if self.read[lane] == len(self.log[lane]):
            queue.ended = True

    def release(self, limit: int = ALWAYS) -> None:
        whole = [item for queue in self.merge.queues.values() for item in queue.items]
        self.check_what_may_go()
        items, marks = self.merge.release(limit)
        found: list[Item] = items
        if found:  # more than asked for only where it is of the last one's instant
            assert sum(item.time < found[-1].time for item in found) < max(1, limit)
        if limit > len(whole):
            assert not self.merge.cut
        self.check_order(found)
        self.check_nothing_is_ahead(found)
        self.released += found
        self.check_marks(marks)
        self.check_watermark()

    def check_what_may_go(self) -> None:
        """As if it all went now: so many, and of no lane is anything left but of those that wait."""
        other = deepcopy(self.merge)
        assert other.ready == len(other.release()[0])
        waiting = {queue.lane for queue in other.ahead}
        assert all(queue.lane in waiting for queue in other.queues.values() if queue.items)

    def check_order(self, items: list[Item]) -> None:
        times = [item.time for item in items]
        assert times == sorted(times)
        assert all(time >= self.reached for time in times), (
            "a timer may have fired before an event it waits for"
        )
        if self.released and times:
            assert times[0] >= self.released[-1].time, "an earlier event came out later"
        by_lane: list[list[Item]] = [[], [], []]
        for item in (*self.released, *items):
            by_lane[item.lane].append(item)
        for number, found in enumerate(by_lane):
            assert found == self.log[number][: len(found)], "not a prefix of the lane"

    def check_nothing_is_ahead(self, items: list[Item]) -> None:
        """Of two lanes, the one that is read further waits for the other."""
        for number, lane in enumerate(self.log):
            read = self.read[number]
            if read < len(lane):
                reach = lane[read - 1].time if read else NEVER
                assert all(item.time <= reach for item in items)

    def check_marks(self, marks: dict[str, int]) -> None:
        self.marks |= marks
        last: dict[str, int] = {}
        for item in self.released:
            topic, part = LANES[item.lane]
            last[f"{topic}/{part}"] = item.offset
        assert self.marks == last

    def check_watermark(self) -> None:
        reached = self.merge.reached(None, IDLE_AFTER)
        done = {(item.lane, item.offset) for item in self.released}
        waiting = [
            item
            for number, lane in enumerate(self.log)
            for item in lane[: self.read[number]]
            if (number, item.offset) not in done
        ]
        assert all(reached < item.time for item in waiting)
        # More may wait of an instant that a lane had vouched for.
        again = any(item.time == self.reached for item in waiting)
        assert reached >= self.reached - again, "time went back"
        self.reached = max(reached, self.reached)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    time = st.integers(NEVER, 12)
    lanes = [draw(st.lists(time, max_size=12)) for _ in LANES]
    step = st.tuples(st.sampled_from(range(len(LANES))), st.integers(0, 4), st.none() | st.integers(0, 5))
    return Plan(lanes, draw(st.lists(step, max_size=30)))


@given(plans())
def test_lanes_come_out_in_one_order_however_they_are_read(plan: Plan) -> None:
    """By time; at one instant by topic in its canonical order, then by offset."""
    reading = Reading(plan.lanes)
    for lane, count, limit in plan.steps:
        reading.take(lane, count)
        if limit is not None:
            reading.release(limit)
    for lane in range(len(LANES)):
        reading.take(lane, 12)
    while reading.merge.queued:
        before = reading.merge.queued
        reading.release(3)
        assert reading.merge.queued < before
    reading.release()
    everything = [item for lane in reading.log for item in lane]
    assert len(reading.released) == len(everything)
    # Dead letters that come before the first event of their lane have no time: any order will do.
    timed = [[i for i in items if i.time != NEVER] for items in (reading.released, everything)]
    assert timed[0] == sorted(timed[1], key=lambda i: (i.time, i.lane, i.offset))
    assert reading.merge.ended
    assert reading.merge.queued == 0
    assert reading.reached == ALWAYS


def merge_of(*times: list[int], wall_now: int = 0) -> Merge:
    """A lane for each list, read so far; not at its end."""
    merge = Merge(LANES[: len(times)], wall_now)
    for lane, found in zip(LANES, times, strict=False):
        if found:
            merge.queues[lane].push(found, found, list(range(len(found))), wall_now)
    return merge


def end(merge: Merge, *lanes: Lane) -> None:
    for lane in lanes:
        merge.queues[lane].ended = True


def released(merge: Merge) -> list[Any]:
    return merge.release()[0]


def test_before_a_lane_has_said_anything_nothing_comes_out() -> None:
    merge = merge_of([1, 2], [])
    assert released(merge) == []
    assert merge.reached(None, IDLE_AFTER) == NEVER
    end(merge, LANES[1])
    assert released(merge) == [1, 2]


def test_the_topic_that_is_ahead_waits_for_the_other() -> None:
    merge = merge_of([1, 5, 9], [4])
    assert released(merge) == [1, 4]
    assert not merge.ended
    merge.queues[LANES[1]].push([7], [7], [1], 0)
    assert released(merge) == [5, 7]
    end(merge, LANES[1])
    assert released(merge) == [9]


def test_at_one_instant_a_topic_waits_for_those_before_it() -> None:
    """Else an order would be read before the click of its second that put the piece into the cart."""
    merge = merge_of([1, 5], [5])
    assert merge.release() == ([1, 5], {"clickstream/0": 1}), "more clicks of that instant may follow"
    merge.queues[LANES[0]].push([5], [5], [2], 0)
    end(merge, LANES[0])
    assert merge.release() == ([5, 5], {"clickstream/0": 2, "orders/0": 0})


def test_a_lane_read_to_its_end_holds_nobody_back() -> None:
    merge = merge_of([3, 8], [5])
    end(merge, LANES[0], LANES[1])
    assert released(merge) == [3, 5, 8]
    assert merge.ended


def test_an_event_out_of_order_comes_out_at_once_and_does_not_hold_the_marks_back() -> None:
    merge = merge_of([5, 2, 6], [5])
    items, marks = merge.release()
    assert items == [5, 2, 5]
    assert marks == {"clickstream/0": 1, "orders/0": 0}


def test_a_round_takes_the_earliest_that_it_has_room_for() -> None:
    merge = merge_of([1, 5, 9], [2, 5, 7])
    assert merge.release(2) == ([1, 2], {"clickstream/0": 0, "orders/0": 0})
    assert merge.cut
    assert merge.reached(None, IDLE_AFTER) == 4, "time has not come to what is still waiting"
    assert merge.release(1) == ([5, 5], {"clickstream/0": 1, "orders/0": 1}), "one instant is one"
    assert merge.release(0) == ([], {})
    assert merge.release(9)[0] == [7]
    assert not merge.cut, "the rest waits for another lane, not for room"


class TestTimeGoesOn:
    """`reached` with the wall clock: event time, until an input has been silent for a while."""

    def test_by_the_slowest_lane_while_events_come(self) -> None:
        merge = merge_of([100], [90], wall_now=1000)
        end(merge, *LANES[:2])
        released(merge)
        assert merge.reached(1000 + IDLE_AFTER - 1, IDLE_AFTER) == 90

    def test_by_the_wall_when_all_are_silent(self) -> None:
        merge = merge_of([100], [90], wall_now=1000)
        end(merge, *LANES[:2])
        released(merge)
        assert merge.reached(1000 + IDLE_AFTER, IDLE_AFTER) == 1000 + IDLE_AFTER

    def test_by_the_one_that_speaks_when_the_other_is_silent(self) -> None:
        merge = merge_of([100], [], wall_now=1000)
        end(merge, *LANES[:2])
        merge.queues[LANES[0]].push([120], [120], [1], 5000)
        end(merge, LANES[0])
        released(merge)
        assert merge.reached(5001, IDLE_AFTER) == 120

    def test_never_by_the_wall_while_a_lane_is_not_read_to_its_end(self) -> None:
        merge = merge_of([100], [90], wall_now=1000)
        end(merge, LANES[0])
        released(merge)
        assert merge.reached(10_000_000, IDLE_AFTER) == 90

    def test_never_past_an_event_that_still_waits(self) -> None:
        merge = merge_of([100, 200], [90], wall_now=1000)
        end(merge, LANES[0])
        assert released(merge) == [90]
        assert merge.reached(None, IDLE_AFTER) == 90
        end(merge, LANES[1])
        assert merge.reached(10_000, IDLE_AFTER) == 99
        assert merge.reached(None, IDLE_AFTER) == 99

    def test_a_lane_just_opened_is_not_silent_yet(self) -> None:
        merge = Merge(LANES[:1], 1000)
        end(merge, LANES[0])
        assert merge.reached(1000 + IDLE_AFTER - 1, IDLE_AFTER) == NEVER
        assert merge.reached(1000 + IDLE_AFTER, IDLE_AFTER) == 1000 + IDLE_AFTER
