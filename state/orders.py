"""Which orders does this user have in flight, and which have already counted?

The map of recent orders is what makes a re-delivered order change nothing: every step of an order is
taken once. Steps may arrive in any order; the order counts when the step named by `count_on` is known.
A refund counts on its own day. A cancelled order never was: it takes its count, money and refunds with it.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from state.calendar import Days, earliest
from state.rfm import Rfm

ORDERS_LIMIT = 32
REFUND_DAYS_LIMIT = 16
RETURNED_LIMIT = 50  # SKUs of an order that were given back


class Order(Struct, array_like=True, gc=False):
    """`refunds` is minor units by day; `quantities` stand beside `skus`, `categories` name their places there.

    `returned`: pieces given back, by SKU. Of this order have spoken: payment_pending (`reminded`), post_purchase_care
    (`cared`), cross_sell of so many companions (`paired`). `coupon`: placed with one.
    """

    placed_at: int | None = None
    anchor: str | None = None
    total: int = 0
    paid_at: int | None = None
    paid_event: str | None = None
    delivered_at: int | None = None
    cancelled_at: int | None = None
    refunds: dict[int, int] = {}
    counted_at: int | None = None
    skus: list[str] = []
    reminded: bool = False
    quantities: list[int] = []
    categories: dict[str, list[int]] = {}
    returned: dict[str, int] = {}
    cared: bool = False
    paired: int = 0
    coupon: bool = False

    def note_lines(self, lines: Iterable[tuple[str, int, str | None]]) -> None:
        """SKU, quantity and category of each line."""
        for place, (sku, quantity, category) in enumerate(lines):
            self.skus.append(sku)
            self.quantities.append(quantity)
            if category is not None:
                self.categories.setdefault(category, []).append(place)

    def note_returned(self, sku: str, quantity: int) -> None:
        if sku in self.returned or len(self.returned) < RETURNED_LIMIT:
            self.returned[sku] = self.returned.get(sku, 0) + quantity

    def kept(self) -> dict[str, str | None]:
        """What was bought with this order and not given back; nothing before it counts."""
        return {} if self.counted_at is None else self.held()

    def held(self) -> dict[str, str | None]:
        """What is in the order and was not given back, each SKU with its category.

        Who has all the money back holds nothing.
        """
        if self.cancelled_at is not None or (self.refunds and 0 < self.total <= sum(self.refunds.values())):
            return {}
        found = self.lines()
        if self.returned:
            had = dict.fromkeys(self.skus, 0)
            for sku, quantity in zip(self.skus, self.quantities, strict=True):
                had[sku] += quantity
            found = {sku: category for sku, category in found.items() if self.returned.get(sku, 0) < had[sku]}
        return found

    def lines(self) -> dict[str, str | None]:
        """What was ordered, each SKU with the category that its line told."""
        found: dict[str, str | None] = dict.fromkeys(self.skus)
        for category, places in self.categories.items():
            for place in places:
                found[self.skus[place]] = category
        return found

    def forget_lines(self) -> None:
        self.skus, self.quantities, self.categories = [], [], {}

    def cancelled_by(self, ts: int) -> bool:
        return self.cancelled_at is not None and self.cancelled_at <= ts

    def note_refund(self, day: int, amount: int) -> None:
        refunds = self.refunds
        kept = day if day in refunds or len(refunds) < REFUND_DAYS_LIMIT else max(refunds)
        refunds[kept] = refunds.get(kept, 0) + amount


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
        rfm.add_order(ts, order.total, days)
        return True

    def cancel(self, order: Order, ts: int, rfm: Rfm, days: Days, *, on_placed: bool) -> None:
        if order.cancelled_at is not None:
            return
        order.cancelled_at = ts
        self._take_back(order, rfm, days, on_placed=on_placed)

    def refund(self, order: Order, ts: int, amount: int, rfm: Rfm, days: Days) -> None:
        if order.cancelled_at is not None:
            return
        order.note_refund(days.of(ts), amount)
        rfm.add_amount(ts, -amount, days)

    def unite(self, rfm: Rfm, other: Orders, other_rfm: Rfm, days: Days, *, on_placed: bool) -> list[Order]:
        """Two ids are one person, with everything that each has counted. An order that both know counts once.

        Answers with those that both know, united.
        """
        shared = {}
        for order_id in sorted(self.by_id.keys() & other.by_id.keys()):
            own = self._withdraw(order_id, rfm, days, on_placed=on_placed)
            shared[order_id] = _one(own, other._withdraw(order_id, other_rfm, days, on_placed=on_placed))
        if _key(other_rfm.first_order_at, other.first_counted, _FAR) < _key(
            rfm.first_order_at, self.first_counted, _FAR
        ):
            self.first_counted = other.first_counted
        if _key(other_rfm.last_order_at, other.last_counted, -1) > _key(
            rfm.last_order_at, self.last_counted, -1
        ):
            self.last_counted = other.last_counted
        rfm.unite(other_rfm, days)
        self.by_id |= other.by_id
        self.by_id |= shared
        for order in shared.values():
            if order.cancelled_at is None:
                for day, amount in order.refunds.items():
                    rfm.add_amount(days.start(day), -amount, days)
            self.count(order, rfm, days, on_placed=on_placed)
        while len(self.by_id) > ORDERS_LIMIT:
            self._make_room()
        return [*shared.values()]

    def counted(self) -> list[int]:
        """When the orders in the map counted."""
        return [order.counted_at for order in self._standing() if order.counted_at is not None]

    def forget_skus(self) -> bool:
        """Let go of what was in the order that is needed least; False when there is nothing to let go of."""
        loaded = [order for order in self.by_id.values() if order.skus]
        if loaded:
            min(loaded, key=_worth).forget_lines()
        return bool(loaded)

    def last_placed_at(self) -> int | None:
        """When the newest order was placed that was not cancelled, paid or not."""
        return max((o.placed_at for o in self._standing() if o.placed_at is not None), default=None)

    def _withdraw(self, order_id: str, rfm: Rfm, days: Days, *, on_placed: bool) -> Order:
        """Take an order out as if it had never been."""
        order = self.by_id.pop(order_id)
        if order.cancelled_at is None:
            self._take_back(order, rfm, days, on_placed=on_placed)
        return order

    def _take_back(self, order: Order, rfm: Rfm, days: Days, *, on_placed: bool) -> None:
        """Undo what an order has counted; it must not be a standing one of the map any more."""
        for day, amount in order.refunds.items():
            rfm.add_amount(days.start(day), amount, days)
        if order.counted_at is not None:
            rfm.remove_order(order.counted_at, order.total, days)
            self._recall(order.counted_at, rfm, days, on_placed=on_placed)

    def _standing(self) -> list[Order]:
        return [order for order in self.by_id.values() if order.cancelled_at is None]

    def _recall(self, gone: int, rfm: Rfm, days: Days, *, on_placed: bool) -> None:
        """The order that counted at `gone` is cancelled: which are the first and the last one now?

        Of orders no longer in the map only the day is known.
        """
        counted = [(o.counted_at, o) for o in self._standing() if o.counted_at is not None]
        if rfm.orders <= 0:
            rfm.first_order_at = rfm.last_order_at = self.first_counted = self.last_counted = None
            return
        if gone == rfm.last_order_at:
            rfm.last_order_at, last = max(
                counted, key=lambda c: c[0], default=(days.start(max(rfm.orders_by_day, default=0)), None)
            )
            self.last_counted = None if last is None else last.anchor if on_placed else last.paid_event
        if gone == rfm.first_order_at and len(counted) == rfm.orders:
            at, first = min(counted, key=lambda c: c[0])
            rfm.begin(at, days)
            self.first_counted = first.anchor if on_placed else first.paid_event

    def _make_room(self) -> None:
        del self.by_id[min(self.by_id, key=lambda order_id: _worth(self.by_id[order_id]))]


_FAR = 1 << 62


def _key(ts: int | None, event: str | None, unknown: int) -> tuple[int, str]:
    """The event id decides between equal times, so that it does not matter who is united with whom."""
    return unknown if ts is None else ts, event or ""


def _one(a: Order, b: Order) -> Order:
    """What two ids know of the same order, not counted yet: of each step the earlier one, as of a repetition."""
    placed = min(a, b, key=lambda o: _key(o.placed_at, o.anchor, _FAR))
    paid = min(a, b, key=lambda o: _key(o.paid_at, o.paid_event, _FAR))
    order = Order(
        placed_at=placed.placed_at,
        anchor=placed.anchor,
        total=placed.total,
        paid_at=paid.paid_at,
        paid_event=paid.paid_event,
        delivered_at=earliest(a.delivered_at, b.delivered_at),
        cancelled_at=earliest(a.cancelled_at, b.cancelled_at),
        refunds=dict(a.refunds),
        skus=placed.skus,
        reminded=a.reminded or b.reminded,
        quantities=placed.quantities,
        categories=placed.categories,
        returned=dict(a.returned),
        cared=a.cared or b.cared,
        paired=max(a.paired, b.paired),
        coupon=placed.coupon,
    )
    for sku, quantity in b.returned.items():
        order.note_returned(sku, quantity)
    for day, amount in b.refunds.items():
        order.note_refund(day, amount)
    return order


def _worth(order: Order) -> int:
    """What a full map forgets first, of equals the oldest: what is over, what has counted, a mere trace.

    A payment that came before its order is no trace: to forget it would be to lose the order.
    """
    if order.cancelled_at is not None or (order.delivered_at is not None and order.placed_at is not None):
        return 0
    if order.counted_at is not None:
        return 1
    return 2 if order.placed_at is None and order.paid_at is None else 3
