"""Does an order that comes late take back the warning that it should have prevented, and only that?"""

from __future__ import annotations

from typing import Any

import pytest

from state import events
from state.calendar import DAY
from state.contact import Sent
from state.fold import apply
from state.user import User
from tests.triggers.golden import plan_of
from tests.triggers.shop import FOLD
from triggers.rules import churn_risk

PARAMS: Any = plan_of({"churn_risk": {}}, None).armed["churn_risk"].params
WARNED = Sent("id", "churn_risk", 1, "sms", 130 * DAY, True, "$known", 130 * DAY)


def _order(name: str, day: int, *, paid: bool = True) -> list[Any]:
    about: dict[str, Any] = {"ts": day * DAY, "user_id": "u1", "order_id": name}
    line = events.Line(sku="k1", quantity=1)
    placed = events.OrderPlaced(event_id=f"p{name}", lines=(line,), total=1, **about)
    return [placed, events.OrderPaid(event_id=f"${name}", **about)] if paid else [placed]


@pytest.mark.parametrize(
    ("day", "paid", "expected"),
    [
        (50, True, True),
        (50, False, True),  # one not paid yet restarts the clock too
        (130, True, True),
        (9, True, False),  # before the purchase from which the silence was counted
    ],
)
def test_an_order_of_the_silence_that_comes_late_refutes_it(day: int, paid: bool, expected: bool) -> None:
    user = User.new("u1")
    late = _order("late", day, paid=paid)
    for event in [*_order("known", 10), *_order("after", 140), *late]:
        apply(user, event, FOLD)
    assert {churn_risk.refuted(user, event, WARNED, PARAMS) for event in late} == {expected}


def test_one_that_was_cancelled_does_not_nor_the_purchase_itself() -> None:
    user = User.new("u1")
    known, late = _order("known", 10), _order("late", 50)
    gone = events.OrderCancelled(event_id="c", ts=60 * DAY, user_id="u1", order_id="late")
    for event in [*known, *late, gone]:
        apply(user, event, FOLD)
    assert not any(churn_risk.refuted(user, event, WARNED, PARAMS) for event in [*known, *late])
