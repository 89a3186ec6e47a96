"""Which news that comes late shows that a trigger about a purchase should not have been sent?"""

from __future__ import annotations

from typing import Any

import pytest

from state import events
from state.calendar import DAY, HOUR
from state.contact import Sent
from state.fold import apply
from state.letters import ReferralPaid, ReferralUndone, Referred
from state.user import User
from tests.triggers.golden import plan_of
from tests.triggers.shop import FOLD, Shop
from triggers.trigger import Publish

PARAMS: dict[str, dict[str, Any]] = {"replenishment": {"cycles": {"k1": "30d"}}}


def placed(order_id: str, ts: int, sku: str = "k1", category: str | None = None) -> Any:
    line = events.Line(sku=sku, quantity=1, category=category)
    return events.OrderPlaced(
        event_id=f"p-{order_id}", ts=ts, user_id="u1", order_id=order_id, lines=(line,), total=9
    )


def paid(order_id: str, ts: int) -> Any:
    return events.OrderPaid(event_id=f"q-{order_id}", ts=ts, user_id="u1", order_id=order_id)


def delivered(order_id: str, ts: int) -> Any:
    return events.OrderDelivered(event_id=f"d-{order_id}", ts=ts, user_id="u1", order_id=order_id)


def cancelled(order_id: str, ts: int) -> Any:
    return events.OrderCancelled(event_id=f"c-{order_id}", ts=ts, user_id="u1", order_id=order_id)


def refunded(order_id: str, ts: int, amount: int = 9) -> Any:
    return events.RefundIssued(
        event_id=f"r-{order_id}", ts=ts, user_id="u1", order_id=order_id, amount=amount
    )


def letter(content: Any) -> Any:
    return events.Letter(event_id=content.event_id, ts=content.ts, to="u1", origin="u1", content=content)


def refuted(rule: str, history: list[Any], late: Any) -> bool:
    """`history` makes the rule speak once; then `late` is read."""
    plan = plan_of({rule: PARAMS.get(rule, {})}, None)
    shop = Shop(plan)
    for event in history:
        shop.take(event, event.ts)
    shop.advance(1 << 50)
    (said,) = [d.candidate for d in shop.decisions if isinstance(d.outcome, Publish)]
    sent = Sent(said.id, rule, 1, "", said.at, True, said.anchor, said.at, list(said.skus))
    user: User = shop.user("u1")
    apply(user, late, FOLD)
    armed = plan.armed[rule]
    assert type(late) in plan.refuted_by[rule]
    assert armed.rule.refuted is not None
    return armed.rule.refuted(user, late, sent, armed.params)


@pytest.mark.parametrize(
    ("late", "wrong"),
    [
        (placed("o2", 24 * DAY), True),  # not paid yet, but on its way
        (placed("o2", 25 * DAY), True),  # at exactly the due time counts as before it
        (placed("o2", 26 * DAY), False),
        (placed("o2", 24 * DAY, "k2"), False),
        (cancelled("o1", 3 * DAY), True),
        (refunded("o1", 3 * DAY), True),
        (refunded("o1", 3 * DAY, amount=1), False),
    ],
)
def test_replenishment(late: Any, wrong: bool) -> None:
    assert refuted("replenishment", [placed("o1", 0), paid("o1", 0)], late) == wrong


def test_replenishment_is_wrong_when_the_payment_of_another_order_comes_late() -> None:
    history = [placed("o1", 0), paid("o1", 0), paid("o2", 20 * DAY), placed("o9", 30 * DAY, "k9")]
    assert refuted("replenishment", history, placed("o2", 20 * DAY))


@pytest.mark.parametrize(
    ("late", "wrong"),
    [
        (placed("o2", DAY, "d1", "diapers"), True),
        (placed("o2", 3 * DAY, "d1", "diapers"), False),
        (placed("o2", DAY, "t1", "tea"), False),
        (cancelled("o1", DAY), True),
        (refunded("o1", DAY), True),
        (refunded("o1", DAY, amount=1), False),
    ],
)
def test_cross_sell(late: Any, wrong: bool) -> None:
    history = [placed("o1", 0, "f1", "baby_formula"), delivered("o1", 2 * DAY)]
    assert refuted("cross_sell", history, late) == wrong


@pytest.mark.parametrize(
    ("late", "wrong"),
    [
        (cancelled("o1", DAY), True),
        (refunded("o1", DAY, amount=1), True),
        (refunded("o2", DAY), False),
    ],
)
def test_post_purchase_care(late: Any, wrong: bool) -> None:
    assert refuted("post_purchase_care", [placed("o1", 0), delivered("o1", DAY)], late) == wrong


@pytest.mark.parametrize(
    ("late", "wrong"),
    [(cancelled("o1", HOUR), True), (refunded("o1", HOUR), True), (refunded("o2", 0), False)],
)
def test_referral_reward_of_a_referee(late: Any, wrong: bool) -> None:
    brought = letter(Referred(event_id="l1", ts=0, referrer="r1"))
    assert refuted("referral_reward", [brought, placed("o1", 0), paid("o1", HOUR)], late) == wrong


@pytest.mark.parametrize(("friend", "wrong"), [("f1", True), ("f2", False)])
def test_referral_reward_of_a_referrer(friend: str, wrong: bool) -> None:
    earned = letter(ReferralPaid(event_id="l1", ts=HOUR, referee_id="f1"))
    late = ReferralUndone(event_id="l2", ts=0, referee_id=friend)
    assert refuted("referral_reward", [earned], late) == wrong
