"""Who is about to stop buying from us?

Until the model of purchase times is fitted, recency decides alone: no order for `one_order_recency` after
a first order, or for `repeat_recency` after a later one. Any order, also one not paid yet, restarts the
clock. The due time is known at each order, so nobody is polled.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from state import events
from state.calendar import Duration, in_words
from state.contact import Sent
from state.folding import FoldParams
from state.user import User
from triggers.trigger import Asked, Candidate, Reason, Rule, RuleParams

NAME = "churn_risk"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`one_order_recency`, `repeat_recency` without an order, by how many the user has.

    `probability` of no purchase within `horizon` is for the model and not read before there is one.
    """

    probability: Annotated[float, Meta(gt=0, lt=1)]
    horizon: Duration
    one_order_recency: Duration
    repeat_recency: Duration


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user = asked.user
    due, anchor = wake_at(user, params, asked.fold), user.orders.last_counted
    if due is None or anchor is None or not asked.passed(due):
        return None
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=anchor,
        at=due,
        reason=f"no order for {in_words(_recency(user, params))} (recency rule, no model)",
        fields={"method": "recency", "orders": user.rfm.orders},
        offer=params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    anchor, last_order_at = user.orders.last_counted, user.rfm.last_order_at
    if anchor is None or last_order_at is None or user.contact.step_of(NAME, anchor) > 0:
        return None
    return max(last_order_at, user.orders.last_placed_at() or 0) + _recency(user, params)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    orders = asked.user.orders
    ordered = (orders.last_placed_at() or 0) > candidate.at
    return None if orders.last_counted == candidate.anchor and not ordered else Reason.STALE


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """An order that stood then, placed or paid after all others that the message counted from."""
    order = user.orders.by_id.get(event.order_id)
    if order is None or event.ts > sent.due or order.cancelled_by(sent.due):
        return False
    others = [o for o in user.orders.by_id.values() if o is not order and not o.cancelled_by(sent.due)]
    steps = [ts for other in others for ts in (other.placed_at, other.counted_at)]
    return all(event.ts > ts for ts in steps if ts is not None and ts <= sent.due)


def _recency(user: User, params: Params) -> Duration:
    return params.one_order_recency if user.rfm.orders == 1 else params.repeat_recency


RULE = Rule(
    name=NAME,
    version=1,
    question="Who is about to stop buying from us?",
    params=Params,
    on=(events.OrderPlaced, events.OrderPaid, events.OrderCancelled),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    refuted_by=(events.OrderPlaced, events.OrderPaid),
    refuted=refuted,
    fields={"method": "`recency`: time since the last order", "orders": "orders counted so far"},
)
