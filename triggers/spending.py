"""Which events change what a user has spent, and which order has just counted? Shared by tiers and milestones."""

from __future__ import annotations

from state import events
from state.folding import FoldParams
from state.orders import Order
from triggers.trigger import Asked

SPENDING_EVENTS = (events.OrderPlaced, events.OrderPaid, events.OrderCancelled, events.RefundIssued)


def just_counted(asked: Asked) -> tuple[str, Order] | None:
    """The order, with its id, that this event has let count; None where it told of something else or a repetition.

    Of the two steps that a paid order needs either may come last.
    """
    event = asked.event
    if not isinstance(event, events.OrderPlaced | events.OrderPaid):
        return None
    order = asked.user.orders.by_id.get(event.order_id)
    if order is None or order.counted_at is None or order.cancelled_at is not None:
        return None
    steps = (order.anchor,) if asked.fold.count_on == "placed" else (order.anchor, order.paid_event)
    return (event.order_id, order) if event.event_id in steps else None


def cause_of(order: Order, fold: FoldParams) -> str:
    """The event with which the order counts: the same whichever step comes last."""
    return (order.anchor if fold.count_on == "placed" else order.paid_event) or ""


def worth(order: Order) -> int:
    """Its total less what was given back."""
    return 0 if order.cancelled_at is not None else order.total - sum(order.refunds.values())
