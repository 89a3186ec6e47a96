"""Is everybody who does not pay in time reminded once of each order, and nobody else?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state.calendar import MINUTE
from tests.oracles.customers import ORDER_EVENTS, lives, standing
from tests.oracles.kit import Told, scattered, told
from tests.oracles.reader import Case, expected

DELAY = 30 * MINUTE


def cases(known: list[Any], settled: dict[Any, Told], event: Any) -> list[Case]:
    return [
        Case(order_id, Told("u1", 1, order.placed.event_id, order.placed.ts + DELAY, ("k1", "k2")))
        for order_id, order in standing(known).items()
        if order.paid is None
    ]


@given(st.integers(0, 2**32), st.sampled_from((10 * MINUTE, 60 * MINUTE)))
def test_reminded_is_who_has_not_paid(seed: int, lateness: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, lives(chance, dues=(DELAY,), ties=True))
    actual = told("payment_pending", {"delay": "30m", "valid_for": "2h"}, arrivals, lateness=lateness)
    wanted = expected(arrivals, cases, ORDER_EVENTS, valid_for=120 * MINUTE, lateness=lateness)
    assert sorted(actual) == wanted
