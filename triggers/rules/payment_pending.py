"""Who placed an order and has not paid for it?

Each order is reminded of once, `delay` after it was placed. Where orders count when placed
(`orders.count_on`), the shop tells of completed orders only, and nobody is asked for money.
"""

from __future__ import annotations

from typing import Any

from state import events
from state.calendar import Duration, in_words
from state.contact import Sent
from state.folding import FoldParams
from state.orders import Order
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import last_order, so, time_is, when

NAME = "payment_pending"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`delay` after the order was placed."""

    delay: Duration


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    due = wake_at(asked.user, params, asked.fold)
    if due is None or not asked.passed(due):
        return None
    order_id, order = min(_unpaid(asked.user), key=_placed_at)
    order.reminded = True
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=asked.user.user_id,
        step=1,
        anchor=order.anchor or order_id,
        at=due,
        reason=f"order not paid for {in_words(params.delay)}",
        skus=tuple(order.skus),
        fields={"order_id": order_id, "total": order.total},
        offer=params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    if fold.count_on == "placed":
        return None
    return min(((order.placed_at or 0) + params.delay for _, order in _unpaid(user)), default=None)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    order = asked.user.orders.by_id.get(candidate.fields["order_id"])
    return None if order is not None and _is_unpaid(order) else Reason.STALE


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """Paid or cancelled in time."""
    order = user.orders.by_id.get(event.order_id)
    return order is not None and (order.anchor or event.order_id) == sent.anchor and event.ts <= sent.due


def _unpaid(user: User) -> list[tuple[str, Order]]:
    """Orders of which this rule has not spoken yet."""
    return [(key, o) for key, o in user.orders.by_id.items() if _is_unpaid(o) and not o.reminded]


def _placed_at(pair: tuple[str, Order]) -> int:
    return pair[1].placed_at or 0


def _is_unpaid(order: Order) -> bool:
    return order.placed_at is not None and order.paid_at is None and order.cancelled_at is None


def conditions(asked: Asked, params: Params) -> list[Condition]:
    if asked.fold.count_on == "placed":
        return [so(False, "the shop tells of orders before they are paid: orders.count_on is `placed`")]
    unpaid = _unpaid(asked.user)
    if not unpaid:
        return [so(False, f"an order is not paid and was not reminded of yet: {last_order(asked.user)}")]
    order_id, order = min(unpaid, key=_placed_at)
    placed_at = order.placed_at or 0
    return [
        so(True, f"an order is not paid: {order_id}, placed {when(placed_at)}"),
        time_is(asked, placed_at + params.delay, f"it stays so for {in_words(params.delay)}"),
    ]


RULE = Rule(
    name=NAME,
    version=1,
    question="Who placed an order and has not paid for it?",
    params=Params,
    on=(events.OrderPlaced, events.OrderPaid, events.OrderCancelled),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    refuted_by=(events.OrderPaid, events.OrderCancelled),
    refuted=refuted,
    fields={"order_id": "the order to pay", "total": "its amount in minor units"},
)
