"""What is in this user's cart, and since when has nobody touched it?

A change is an add, the removal of a present SKU, a clear of a non-empty cart, or an order that takes out
at least one carted SKU. Any change restarts the cart's clock; its event id is the anchor of the episode.
A cart ends (`ended_at`) when it is emptied or when something in it is ordered; the next begins there.
Order-insensitive where it can be: an add older than the removal, clear or order of its SKU stays out.
"""

from __future__ import annotations

from msgspec import Struct

LINES_LIMIT = 50
GONE_LIMIT = 50


class CartLine(Struct, array_like=True, gc=False):
    """`added_at` is the latest add; price is minor units a piece."""

    quantity: int
    price: int
    added_at: int
    category: str | None = None


class Cart(Struct, array_like=True, gc=False):
    lines: dict[str, CartLine] = {}
    changed_at: int | None = None
    anchor: str | None = None
    cleared_at: int = -1
    gone: dict[str, int] = {}
    overflowed: int = 0
    ended_at: int = -1

    def add(self, ts: int, event_id: str, sku: str, quantity: int, price: int, category: str | None) -> None:
        if ts < self.cleared_at or ts < self.gone.get(sku, -1):
            return
        line = self.lines.get(sku)
        if line is None:
            if len(self.lines) >= LINES_LIMIT:
                self.overflowed += 1
                del self.lines[min(self.lines, key=lambda s: self.lines[s].added_at)]
            self.lines[sku] = CartLine(quantity, price, ts, category)
        else:
            line.quantity += quantity
            if ts >= line.added_at:
                line.price, line.added_at = price, ts
                line.category = category or line.category
        self._changed(ts, event_id)

    def remove(self, ts: int, event_id: str, sku: str, quantity: int | None) -> None:
        line = self.lines.get(sku)
        if line is None or line.added_at > ts:
            if quantity is None:
                self._forget(sku, ts)
            return
        if quantity is None or quantity >= line.quantity:
            del self.lines[sku]
            self._forget(sku, ts)
            if not self.lines:
                self.ended_at = max(self.ended_at, ts)
        else:
            line.quantity -= quantity
        self._changed(ts, event_id)

    def clear(self, ts: int, event_id: str) -> None:
        self.cleared_at = max(self.cleared_at, ts)
        self._take_out([sku for sku, line in self.lines.items() if line.added_at <= ts], ts, event_id)

    def order(self, ts: int, event_id: str, skus: list[str]) -> None:
        """An order takes out the whole line of each of its SKUs."""
        for sku in skus:
            self._forget(sku, ts)
        self._take_out([s for s in skus if s in self.lines and self.lines[s].added_at <= ts], ts, event_id)

    def unite(self, other: Cart) -> None:
        """Two ids are one person with one cart: a line stays unless the other id took its SKU out later.

        Quantities add up. The later change of the two is the cart's clock.
        """
        lines: dict[str, CartLine] = {}
        for sku in [*self.lines, *(sku for sku in other.lines if sku not in self.lines)]:
            there = [(self.lines.get(sku), other), (other.lines.get(sku), self)]
            known = [line for line, elsewhere in there if line is not None and not elsewhere._took(sku, line)]
            if known:
                lines[sku] = _sum(known)
        for sku, ts in other.gone.items():
            self.gone[sku] = max(ts, self.gone.get(sku, -1))
        self.cleared_at = max(self.cleared_at, other.cleared_at)
        self.ended_at = max(self.ended_at, other.ended_at)
        self.lines, self.overflowed = lines, self.overflowed + other.overflowed
        while len(lines) > LINES_LIMIT:
            self.overflowed += 1
            del lines[min(lines, key=lambda sku: (lines[sku].added_at, sku))]
        while len(self.gone) > GONE_LIMIT:
            del self.gone[min(self.gone, key=lambda sku: (self.gone[sku], sku))]
        if other.changed_at is not None:
            own = (-1 if self.changed_at is None else self.changed_at, self.anchor or "")
            self.changed_at, self.anchor = max(own, (other.changed_at, other.anchor or ""))

    def _took(self, sku: str, line: CartLine) -> bool:
        return line.added_at < max(self.cleared_at, self.gone.get(sku, -1))

    def _take_out(self, skus: list[str], ts: int, event_id: str) -> None:
        for sku in skus:
            self.lines.pop(sku, None)
        if skus:
            self.ended_at = max(self.ended_at, ts)
            self._changed(ts, event_id)

    def _changed(self, ts: int, event_id: str) -> None:
        if self.changed_at is None or ts >= self.changed_at:
            self.changed_at, self.anchor = ts, event_id

    def _forget(self, sku: str, ts: int) -> None:
        gone = self.gone
        if ts > gone.get(sku, -1):
            gone[sku] = ts
        if len(gone) > GONE_LIMIT:
            del gone[min(gone, key=gone.__getitem__)]


def _sum(lines: list[CartLine]) -> CartLine:
    """One SKU in the carts of one person."""
    lines.sort(key=lambda line: (line.added_at, line.quantity, line.price))
    last = lines[-1]
    category = last.category or lines[0].category
    return CartLine(sum(line.quantity for line in lines), last.price, last.added_at, category)
