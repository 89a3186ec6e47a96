"""Which orders does this user have in flight, and which have already counted?

The map of recent orders is what makes a re-delivered order change nothing: every step of an order is
taken once. Steps may arrive in any order; the order counts when the step named by `count_on` is known.
"""

from __future__ import annotations

from msgspec import Struct

from state.calendar import Days
from state.rfm import Rfm

ORDERS_LIMIT = 32


class Order(Struct, array_like=True, gc=False):
    placed_at: int | None = None
    anchor: str | None = None
    total: int = 0
    paid_at: int | None = None
    paid_event: str | None = None
    delivered_at: int | None = None
    cancelled_at: int | None = None
    refunded: int = 0
    counted_at: int | None = None
    skus: list[str] = []


class Orders(Struct, array_like=True, gc=False):
    by_id: dict[str, Order] = {}
    first_counted: str | None = None
    last_counted: str | None = None

    def get(self, order_id: str) -> Order:
        order = self.by_id.get(order_id)
        if order is None:
            if len(self.by_id) >= ORDERS_LIMIT:
                self._make_room()
            order = self.by_id[order_id] = Order()
        return order

    def count(self, order: Order, rfm: Rfm, days: Days, *, on_placed: bool) -> bool:
        """Let the order into R, F and M once both its value and the step that counts are known; True if it did."""
        ts = order.placed_at if on_placed else order.paid_at
        if (
            ts is None
            or order.placed_at is None
            or order.counted_at is not None
            or order.cancelled_at is not None
        ):
            return False
        order.counted_at = ts
        event = order.anchor if on_placed else order.paid_event
        if rfm.first_order_at is None or ts < rfm.first_order_at:
            self.first_counted = event
        if rfm.last_order_at is None or ts >= rfm.last_order_at:
            self.last_counted = event
        rfm.add_order(ts, order.total - order.refunded, days)
        return True

    def cancel(self, order: Order, ts: int, rfm: Rfm, days: Days) -> None:
        """A cancelled order leaves F on the day it counted and M by what had not been refunded yet."""
        if order.cancelled_at is not None:
            return
        order.cancelled_at = ts
        if order.counted_at is None:
            return
        rfm.remove_order(order.counted_at, days)
        rfm.add_amount(order.counted_at, order.refunded - order.total, days)
        left = [o for o in self.by_id.values() if o.counted_at is not None and o.cancelled_at is None]
        newest = max(left, key=lambda o: o.counted_at or 0, default=None)
        if newest is not None:
            rfm.last_order_at = newest.counted_at
        elif rfm.orders == 0:
            rfm.first_order_at = rfm.last_order_at = None
        else:
            rfm.last_order_at = days.start(max(rfm.orders_by_day, default=days.of(rfm.last_order_at or 0)))

    def refund(self, order: Order | None, ts: int, amount: int, rfm: Rfm, days: Days) -> None:
        """A refund of an order that has not counted yet waits with it; else it counts on its own day."""
        if order is None:
            rfm.add_amount(ts, -amount, days)
            return
        order.refunded += amount
        if order.counted_at is not None and order.cancelled_at is None:
            rfm.add_amount(ts, -amount, days)

    def _make_room(self) -> None:
        done = [
            key for key, o in self.by_id.items() if o.cancelled_at is not None or o.delivered_at is not None
        ]
        del self.by_id[done[0] if done else next(iter(self.by_id))]
