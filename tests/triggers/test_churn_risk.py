"""Does an order that comes late take back the warning that it should have prevented, and only that?"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from state import events
from state.btyd import Fit
from state.calendar import DAY, WEEK, Duration
from state.churn import ChurnScore, churn_probability
from state.contact import Sent
from state.fold import apply
from state.user import User
from tests.triggers.golden import plan_of
from tests.triggers.shop import FOLD, PREDICT, Shop
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


def test_by_a_learned_score_the_warning_comes_at_its_crossing_once_a_purchase_and_nobody_is_polled() -> None:
    score = ChurnScore(
        horizon=Duration(8 * WEEK),
        typical_gap=7,
        intercept=-1.5,
        model=0.5,
        recency=0.8,
        purchases=-0.4,
        gap=0.6,
    )
    learned = replace(
        PREDICT, model="bg_nbd", r=0.242593, alpha=4.413532, a=0.792886, b=2.425753, churn=score
    )
    fold = replace(FOLD, predict=learned)
    plan = plan_of({"churn_risk": {"probability": 0.8, "horizon": "8w"}}, None, fold)
    shop = Shop(plan, lateness=WEEK)
    for event in [*_order("one", 10), *_order("two", 40), *_order("three", 75)]:
        shop.take(event, event.ts)

    first, last = 10 * DAY, 75 * DAY
    due = shop.user("u1").due
    assert due is not None
    weeks, until_last = [(due - back - first) / WEEK for back in (0, 1)], (last - first) / WEEK
    fit = Fit("bg_nbd", 0.242593, 4.413532, 0.792886, 2.425753)
    reached = [churn_probability(fit, score, 2, until_last, now, 8) for now in weeks]
    assert reached[0] >= 0.8 > reached[1]
    assert reached[0] == pytest.approx(0.8, abs=1e-9)

    shop.advance(due)  # everything due before that moment
    assert not shop.decisions
    shop.advance(due + 1)
    assert [(each.candidate.at, each.candidate.fields["method"]) for each in shop.decisions] == [
        (due, "prediction")
    ]
    shop.advance(due + 3000 * DAY)
    assert len(shop.decisions) == 1
