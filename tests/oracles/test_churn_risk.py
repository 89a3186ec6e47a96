"""Is everybody told once a last order who orders nothing for so long, by how many orders there are?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state.calendar import DAY, MINUTE
from tests.oracles.customers import ORDER_EVENTS, last_placed_at, lives, payments
from tests.oracles.kit import Told, scattered, told
from tests.oracles.reader import Case, expected

ONE, REPEAT = 3 * DAY, 5 * DAY


def cases(known: list[Any], settled: dict[Any, Told], event: Any) -> list[Case]:
    paid = payments(known)
    if not paid:
        return []
    due = max(paid[-1].ts, last_placed_at(known)) + (ONE if len(paid) == 1 else REPEAT)
    return [Case(paid[-1].event_id, Told("u1", 1, paid[-1].event_id, due))]


@given(st.integers(0, 2**32), st.sampled_from((10 * MINUTE, 3 * DAY)))
def test_told_is_who_orders_nothing_for_so_long(seed: int, lateness: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, lives(chance, dues=(ONE, REPEAT)), most_late=2 * DAY)
    params = {"one_order_recency": "3d", "repeat_recency": "5d", "valid_for": "1d"}
    wanted = expected(arrivals, cases, ORDER_EVENTS, valid_for=DAY, lateness=lateness)
    assert sorted(told("churn_risk", params, arrivals, lateness=lateness)) == wanted
