"""Who has just become a customer?

The first counted order earns a coupon at once (step 1) and, if no second order has used it by then, a
reminder `reminder_after` (step 2). Once in a user's life; cancelling the first order ends it.
"""

from __future__ import annotations

from typing import Any

from state import events
from state.calendar import Duration, in_words, iso
from state.contact import Sent
from state.folding import FoldParams
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import counted, last_order, so, time_is, when

NAME = "welcome_pack"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`coupon_valid_for` and `reminder_after` (None: no reminder) count from the first counted order."""

    coupon_valid_for: Duration
    reminder_after: Duration | None


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user = asked.user
    due, anchor, first_at = (
        wake_at(user, params, asked.fold),
        user.orders.first_counted,
        user.rfm.first_order_at,
    )
    if due is None or anchor is None or first_at is None or _has_second(user):
        return None
    step = user.contact.step_of(NAME, anchor) + 1
    if step == 2 and not asked.passed(due):
        return None
    until = iso(first_at + params.coupon_valid_for)
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=step,
        anchor=anchor,
        at=due,
        reason="first order" if step == 1 else f"coupon not used for {in_words(due - first_at)}",
        fields={"coupon_valid_until": until},
        offer=params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    anchor, first_at = user.orders.first_counted, user.rfm.first_order_at
    if anchor is None or first_at is None or user.rfm.orders != 1:
        return None
    if NAME not in user.contact.episodes:
        return first_at
    if user.contact.step_of(NAME, anchor) == 1 and params.reminder_after is not None:
        return first_at + params.reminder_after
    return None


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    user = asked.user
    gone = user.orders.first_counted != candidate.anchor or user.rfm.orders != 1
    return Reason.STALE if gone or _has_second(user) else None


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """The reminder, by a second order that stood then."""
    order = user.orders.by_id.get(event.order_id)
    if sent.step != 2 or params.reminder_after is None or order is None or order.cancelled_by(sent.due):
        return False
    in_time: bool = sent.due - params.reminder_after < event.ts <= sent.due
    return in_time


def _has_second(user: User) -> bool:
    """An order placed since the first one counted, paid or not: a coupon can only be used by ordering."""
    since = user.rfm.first_order_at or 0
    return any(
        (order.placed_at or 0) > since and order.counted_at is None and order.cancelled_at is None
        for order in user.orders.by_id.values()
    )


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, orders = asked.user, asked.user.rfm.orders
    anchor, first_at = user.orders.first_counted, user.rfm.first_order_at
    only = f"one order counts and no more: {counted(orders, 'order')}; {last_order(user)}"
    if anchor is None or first_at is None or orders != 1:
        return [so(False, only)]
    done = user.contact.step_of(NAME, anchor)
    left = NAME not in user.contact.episodes or (done == 1 and params.reminder_after is not None)
    found = [
        so(True, only),
        so(left, f"a step is left: {done} told" if done or left else "no first order was told of before"),
        so(not _has_second(user), f"no other order has been placed since {when(first_at)}"),
    ]
    if done == 1 and params.reminder_after is not None:
        waited = f"{in_words(params.reminder_after)} have passed since the first order: step 2"
        found.append(time_is(asked, first_at + params.reminder_after, waited))
    return found


RULE = Rule(
    name=NAME,
    version=1,
    question="Who has just become a customer?",
    params=Params,
    on=(events.OrderPlaced, events.OrderPaid, events.OrderCancelled),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    refuted_by=(events.OrderPlaced,),
    refuted=refuted,
    fields={"coupon_valid_until": "RFC 3339, end of the coupon"},
)
