"""Does every new customer get one coupon, and one reminder unless a second order came in time?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state.calendar import DAY, MINUTE
from tests.oracles.customers import ORDER_EVENTS, lives, payments, standing
from tests.oracles.kit import Told, scattered, told
from tests.oracles.reader import Case, expected

REMINDER = 5 * DAY


def cases(known: list[Any], settled: dict[Any, Told], event: Any) -> list[Case]:
    paid = payments(known)
    if len(paid) != 1:
        return []
    first = paid[0]
    second = any(o.paid is None and o.placed.ts > first.ts for o in standing(known).values())
    if "coupon" not in settled:
        coupon = Told("u1", 1, first.event_id, first.ts)
        return [Case("coupon", coupon, stands=not second, at_once=True)]
    if settled["coupon"].anchor != first.event_id:
        return []
    return [Case("reminder", Told("u1", 2, first.event_id, first.ts + REMINDER), stands=not second)]


@given(st.integers(0, 2**32), st.sampled_from((10 * MINUTE, 3 * DAY)))
def test_a_coupon_and_a_reminder(seed: int, lateness: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, lives(chance, dues=(REMINDER,)), most_late=2 * DAY)
    params = {"reminder_after": "5d", "valid_for": "1d"}
    wanted = expected(arrivals, cases, ORDER_EVENTS, valid_for=DAY, lateness=lateness)
    assert sorted(told("welcome_pack", params, arrivals, lateness=lateness)) == wanted
