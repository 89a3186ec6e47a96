"""Does an event that comes late show that a trigger was wrong, and no other event?"""

from __future__ import annotations

from typing import Any

import pytest

from state import events
from state.calendar import DAY, HOUR, MINUTE
from state.contact import Sent
from state.fold import apply
from state.user import User
from tests.triggers.golden import plan_of
from tests.triggers.shop import FOLD

NOW = 1_780_000_000_000


def at(ts: int, kind: type, name: str = "", **fields: Any) -> Any:
    if kind is events.OrderPlaced:
        skus = fields.pop("skus", ("k1",))
        fields |= {"total": 1, "lines": tuple(events.Line(sku=sku, quantity=1) for sku in skus)}
    return kind(event_id=name or f"{kind.__name__}@{ts}", ts=NOW + ts, user_id="u1", **fields)


def refuted(rule: str, params: dict[str, Any], sent: Sent, known: list[Any], late: Any) -> bool:
    """`late` is the event that is read last."""
    user = User.new("u1")
    for event in (*known, late):
        apply(user, event, FOLD)
    plan = plan_of({rule: params}, None)
    armed = plan.armed[rule]
    assert armed.rule.refuted is not None
    if late.ts > sent.due:  # of such the rule is not asked
        return False
    return type(late) in plan.refuted_by[rule] and armed.rule.refuted(user, late, sent, armed.params)


def sent(rule: str, due: int, anchor: str = "a", step: int = 1, skus: tuple[str, ...] = ()) -> Sent:
    return Sent("t", rule, step, "sms", NOW + due, True, anchor, NOW + due, list(skus))


PLACED, PAID, CANCELLED = events.OrderPlaced, events.OrderPaid, events.OrderCancelled
ADDED, REMOVED, CLEARED = events.CartItemAdded, events.CartItemRemoved, events.CartCleared
VIEWED, CLOSED = events.ProductViewed, events.ComplaintClosed
ADD: dict[str, Any] = {"sku": "k9", "quantity": 1, "price": 1}


@pytest.mark.parametrize(
    ("late", "wrong"),
    [
        (at(HOUR, PLACED, order_id="o", skus=("k9", "k1")), True),
        (at(HOUR + 1, PLACED, order_id="o", skus=("k1",)), False),
        (at(MINUTE, PLACED, order_id="o", skus=("k9",)), False),
        (at(1, ADDED, **ADD), True),
        (at(0, ADDED, **ADD), False),
        (at(MINUTE, REMOVED, sku="k1"), True),
        (at(MINUTE, REMOVED, sku="k9"), False),
        (at(MINUTE, CLEARED), True),
        (at(HOUR + 1, CLEARED), False),
    ],
)
def test_a_cart_that_was_touched_in_time_was_not_abandoned(late: Any, wrong: bool) -> None:
    known = [at(0, ADDED, name="a", sku="k1", quantity=1, price=1)]
    reminder = sent("cart_abandoned", HOUR, skus=("k1",))
    assert refuted("cart_abandoned", {}, reminder, known, late) is wrong


def test_the_coupon_counts_from_the_same_change_as_the_reminder() -> None:
    coupon = sent("cart_abandoned", DAY, step=2, skus=("k1",))
    assert refuted("cart_abandoned", {}, coupon, [], at(MINUTE, CLEARED))
    assert not refuted("cart_abandoned", {}, coupon, [], at(0, CLEARED))


@pytest.mark.parametrize(
    ("late", "wrong"),
    [
        (at(30 * MINUTE, PAID, order_id="o1"), True),
        (at(30 * MINUTE, CANCELLED, order_id="o1"), True),
        (at(30 * MINUTE + 1, PAID, order_id="o1"), False),
        (at(MINUTE, PAID, order_id="o2"), False),
        (at(MINUTE, PAID, order_id="o3"), False),
    ],
)
def test_who_had_paid_or_cancelled_need_not_be_reminded(late: Any, wrong: bool) -> None:
    known = [at(0, PLACED, name="a", order_id="o1"), at(0, PLACED, name="b", order_id="o2")]
    assert refuted("payment_pending", {}, sent("payment_pending", 30 * MINUTE), known, late) is wrong


@pytest.mark.parametrize(
    ("step", "known", "late", "wrong"),
    [
        (1, [], at(20 * DAY, VIEWED, sku="k1"), False),
        (2, [], at(31 * DAY, VIEWED, sku="k1"), True),
        (2, [], at(30 * DAY, VIEWED, sku="k1"), False),
        (2, [], at(60 * DAY, VIEWED, sku="k1"), True),
        (2, [], at(60 * DAY + 1, VIEWED, sku="k1"), False),
        (3, [], at(31 * DAY, VIEWED, sku="k1"), True),
        (3, [], at(30 * DAY, VIEWED, sku="k1"), False),
        (2, [], at(31 * DAY, PLACED, order_id="o2"), True),
        (1, [], at(10 * DAY, PLACED, order_id="o2"), False),
        (2, [at(11 * DAY, PAID, order_id="o2")], at(10 * DAY, PLACED, order_id="o2"), True),
        (9, [], at(10 * DAY, VIEWED, sku="k1"), False),
        (1, [at(10 * DAY, PLACED, order_id="o2")], at(11 * DAY, PAID, order_id="o2"), True),
        (1, [at(11 * DAY, PAID, order_id="o2")], at(10 * DAY, PLACED, order_id="o2"), True),
        (1, [at(10 * DAY, PLACED, order_id="o2")], at(31 * DAY, PAID, order_id="o2"), False),
        (1, [at(12 * DAY, CANCELLED, order_id="o2")], at(11 * DAY, PAID, order_id="o2"), False),
    ],
)
def test_who_had_come_back_was_not_lost(step: int, known: list[Any], late: Any, wrong: bool) -> None:
    known = [at(0, PLACED, order_id="o1"), at(0, PAID, name="a", order_id="o1"), *known]
    assert refuted("winback", {}, sent("winback", step * 30 * DAY, step=step), known, late) is wrong


@pytest.mark.parametrize(
    ("rule", "step", "due", "late_at", "cancelled_at", "wrong"),
    [
        ("first_order_nudge", 1, DAY, DAY, None, True),
        ("first_order_nudge", 1, DAY, DAY + 1, None, False),
        ("first_order_nudge", 1, DAY, HOUR, DAY, False),
        ("first_order_nudge", 1, DAY, HOUR, DAY + 1, True),
        ("welcome_pack", 2, 5 * DAY, 5 * DAY, None, True),
        ("welcome_pack", 2, 5 * DAY, 5 * DAY + 1, None, False),
        ("welcome_pack", 2, 5 * DAY, 0, None, False),
        ("welcome_pack", 2, 5 * DAY, DAY, 2 * DAY, False),
        ("welcome_pack", 1, 0, -DAY, None, False),
    ],
)
def test_who_had_ordered_need_not_be_asked_to(
    rule: str, step: int, due: int, late_at: int, cancelled_at: int | None, wrong: bool
) -> None:
    known = [] if cancelled_at is None else [at(cancelled_at, CANCELLED, order_id="o2")]
    late = at(late_at, PLACED, order_id="o2")
    assert refuted(rule, {}, sent(rule, due, step=step), known, late) is wrong


@pytest.mark.parametrize(
    ("known", "late", "wrong"),
    [
        ([], at(50 * DAY, PLACED, order_id="o2"), True),
        ([], at(120 * DAY + 1, PLACED, order_id="o2"), False),
        ([], at(-DAY, PLACED, order_id="o2"), False),
        ([at(130 * DAY, PLACED, order_id="o3")], at(50 * DAY, PLACED, order_id="o2"), True),
        ([at(-DAY, PLACED, order_id="o2")], at(50 * DAY, PAID, order_id="o2"), True),
        ([at(60 * DAY, CANCELLED, order_id="o2")], at(50 * DAY, PLACED, order_id="o2"), False),
    ],
)
def test_who_had_ordered_again_was_at_no_risk(known: list[Any], late: Any, wrong: bool) -> None:
    known = [at(0, PLACED, order_id="o1"), at(0, PAID, name="a", order_id="o1"), *known]
    assert refuted("churn_risk", {}, sent("churn_risk", 120 * DAY), known, late) is wrong


@pytest.mark.parametrize(
    ("late", "wrong"),
    [
        (at(HOUR, PLACED, order_id="o2"), True),
        (at(-HOUR, PLACED, order_id="o2"), False),
        (at(3 * DAY + 1, PLACED, order_id="o2"), False),
    ],
)
def test_who_had_bought_between_her_visits_did_not_leave_in_vain(late: Any, wrong: bool) -> None:
    known = [at(day * DAY, events.SessionStarted) for day in (0, 1, 4)]
    assert refuted("unfollow_retention", {}, sent("unfollow_retention", 3 * DAY), known, late) is wrong


def test_where_visits_are_forgotten_nothing_is_taken_back() -> None:
    known = [at(day * DAY, events.SessionStarted) for day in range(9)]
    late = at(HOUR, PLACED, order_id="o2")
    assert not refuted("unfollow_retention", {"visits": 5}, sent("unfollow_retention", 5 * DAY), known, late)


@pytest.mark.parametrize(
    ("known", "late", "wrong"),
    [
        ([], at(DAY, CLOSED, id="c1"), True),
        ([], at(DAY + 1, CLOSED, id="c1"), False),
        ([], at(HOUR, CLOSED, id="c2"), False),
        ([at(3 * DAY, CLOSED, id="c1")], at(HOUR, CLOSED, id="c1"), True),
    ],
)
def test_what_had_been_closed_was_no_task(known: list[Any], late: Any, wrong: bool) -> None:
    opened: list[Any] = [
        at(0, events.ComplaintOpened, name=name, id=key, topic="t")
        for name, key in (("a", "c1"), ("b", "c2"))
    ]
    assert refuted("complaint_care", {}, sent("complaint_care", DAY), [*opened, *known], late) is wrong
