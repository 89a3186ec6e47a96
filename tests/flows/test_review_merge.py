"""Does the order of one instant depend on how much was read at once? Do bad records stop the time?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.log import Lane
from flows.merge import NEVER, Merge

LANES: tuple[Lane, ...] = (("clickstream", 0), ("orders", 0), ("letters", 0))
IDLE_AFTER = 10


@given(
    st.lists(st.lists(st.integers(0, 4), max_size=8).map(sorted), min_size=3, max_size=3), st.integers(1, 3)
)
def test_one_instant_keeps_the_order_of_its_topics_however_it_is_read(
    lanes: list[list[int]], portion: int
) -> None:
    merge = Merge(LANES)
    came: list[tuple[int, int, int]] = []
    for first in range(0, 9, portion):
        for number, times in enumerate(lanes):
            part = times[first : first + portion]
            offsets = list(range(first, first + len(part)))
            items = [(ts, number, offset) for ts, offset in zip(part, offsets, strict=True)]
            if items:
                merge.queues[LANES[number]].push(items, part, offsets, 0)
            merge.queues[LANES[number]].ended = first + portion >= len(times)
        came += merge.release()[0]
    assert came == sorted(came)
    assert len(came) == sum(map(len, lanes))


def test_an_input_with_nothing_but_bad_records_does_not_stop_the_time() -> None:
    merge = Merge(LANES[:2], opened_at=0)
    clicks, orders = (merge.queues[lane] for lane in LANES[:2])
    clicks.push(["click"], [1000], [0], 1000)
    for second in range(30):
        orders.push(["bad"], [NEVER], [second], 1000 + second)
        clicks.ended = orders.ended = True
        merge.release()
    assert merge.reached(1029, IDLE_AFTER) == 1029
