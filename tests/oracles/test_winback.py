"""Is every silence after an order answered step by step, until she orders or comes back?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import DAY, MINUTE
from tests.oracles.customers import ORDER_EVENTS, lives, payments
from tests.oracles.kit import Told, scattered, told
from tests.oracles.reader import Case, expected

AFTER = (3 * DAY, 5 * DAY, 9 * DAY)


def cases(known: list[Any], settled: dict[Any, Told], event: Any) -> list[Case]:
    paid = payments(known)
    if not paid:
        return []
    anchor, since = paid[-1].event_id, paid[-1].ts
    last_visit = max(
        (e.ts for e in known if isinstance(e, events.ProductViewed | events.OrderPlaced)), default=-1
    )
    done = [told for told in settled.values() if told.anchor == anchor]
    answered = last_visit > since + AFTER[0]
    if len(done) == len(AFTER) or (done and answered):
        return []
    due, step = since + AFTER[len(done)], len(done) + 1
    return [Case((anchor, step), Told("u1", step, anchor, due), stale=answered)]


@given(st.integers(0, 2**32), st.sampled_from((10 * MINUTE, 3 * DAY)))
def test_step_by_step_until_there_is_an_answer(seed: int, lateness: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, lives(chance, dues=AFTER), most_late=2 * DAY)
    params = {"after": ["3d", "5d", "9d"], "valid_for": "1d"}
    wanted = expected(arrivals, cases, ORDER_EVENTS, valid_for=DAY, lateness=lateness)
    assert sorted(told("winback", params, arrivals, lateness=lateness)) == wanted
