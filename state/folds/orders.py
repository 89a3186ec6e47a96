"""What do orders change? Each step is taken once; an order counts when the step of `count_on` is known."""

from __future__ import annotations

from collections.abc import Mapping

from state import events, lifecycle
from state.audience import relist
from state.folding import BOUGHT, Applied, FoldParams, Folds
from state.interest import end_interest
from state.orders import Order
from state.replies import ORDERED
from state.user import User


def _order_placed(user: User, e: events.OrderPlaced, params: FoldParams) -> Applied | None:
    order = user.orders.get(e.order_id)
    if order.placed_at is not None:
        return None
    order.placed_at, order.anchor, order.total = e.ts, e.event_id, e.total
    order.coupon = e.coupon is not None
    order.note_lines((line.sku, line.quantity, line.category) for line in e.lines)
    user.cart.order(e.ts, e.event_id, order.skus)
    for line in e.lines:
        end_interest(user, line.sku, line.category, e.ts)
        if line.category is not None:
            user.activity.like(line.category)
    if e.trigger_id is not None:
        user.replies.hear(e.trigger_id, ORDERED, e.ts)
    _count(user, e.order_id, params)
    return Applied(True, None, *relist(user), bought=True)


def _order_paid(user: User, e: events.OrderPaid, params: FoldParams) -> Applied | None:
    order = user.orders.get(e.order_id)
    if order.paid_at is not None:
        return None
    order.paid_at, order.paid_event = e.ts, e.event_id
    _count(user, e.order_id, params)
    return BOUGHT


def _count(user: User, order_id: str, params: FoldParams) -> None:
    order = user.orders.get(order_id)
    before = user.rfm.last_order_at
    if user.orders.count(order, user.rfm, params.days, on_placed=params.count_on == "placed"):
        user.activity.visits_since_order = 0
        lifecycle.note_order(user, order.counted_at or 0, before, params.lifecycle)
        _note_bought(user, order, {}, params)


def _note_bought(user: User, order: Order, before: Mapping[str, str | None], params: FoldParams) -> None:
    """What the order adds to, or takes from, all that was bought; `before` is what it held so far."""
    after = order.kept()
    if after != before:
        user.purchases.change(before, after, order.counted_at or 0, params.days)


def _order_cancelled(user: User, e: events.OrderCancelled, params: FoldParams) -> Applied:
    order, on_placed = user.orders.get(e.order_id), params.count_on == "placed"
    before = order.kept()
    user.orders.cancel(order, e.ts, user.rfm, params.days, on_placed=on_placed)
    _note_bought(user, order, before, params)
    return BOUGHT


def _order_delivered(user: User, e: events.OrderDelivered, params: FoldParams) -> None:
    order = user.orders.get(e.order_id)
    if order.delivered_at is None:
        order.delivered_at = e.ts


def _refund_issued(user: User, e: events.RefundIssued, params: FoldParams) -> Applied:
    order = user.orders.get(e.order_id)
    before = order.kept()
    user.orders.refund(order, e.ts, e.amount, user.rfm, params.days)
    for line in e.lines or ():
        order.note_returned(line.sku, line.quantity)
    _note_bought(user, order, before, params)
    return BOUGHT


FOLDS: Folds = {
    events.OrderPlaced: _order_placed,
    events.OrderPaid: _order_paid,
    events.OrderCancelled: _order_cancelled,
    events.OrderDelivered: _order_delivered,
    events.RefundIssued: _refund_issued,
}
