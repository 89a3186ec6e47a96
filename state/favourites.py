"""What has this user marked as a favourite, and since when?

Order-insensitive: a mark older than the removal of its SKU does not bring it back.
"""

from __future__ import annotations

from msgspec import Struct

FAVOURITES_LIMIT = 50


class Favourites(Struct, array_like=True, gc=False):
    """`skus`: marked at, the last time; `gone`: removed at.

    `waiting`: the marks of which favorite_reminder has still to speak, since the SKU is a favourite.
    `prices`: at the mark, in minor units, where a view had told one.
    """

    skus: dict[str, int] = {}
    gone: dict[str, int] = {}
    waiting: dict[str, int] = {}
    prices: dict[str, int] = {}

    def add(self, ts: int, sku: str, price: int | None = None) -> bool:
        if ts < self.gone.get(sku, -1):
            return False
        marked_at = self.skus.get(sku)
        if marked_at is None:
            if len(self.skus) >= FAVOURITES_LIMIT:
                self._forget(min(self.skus, key=self.skus.__getitem__))
            self.waiting[sku] = ts
        elif sku in self.waiting:
            self.waiting[sku] = min(ts, self.waiting[sku])
        if marked_at is None or ts >= marked_at:
            self.skus[sku] = ts
            self._note_price(sku, price)
        return True

    def remove(self, ts: int, sku: str) -> None:
        marked_at = self.skus.get(sku)
        if marked_at is not None and marked_at <= ts:
            self._forget(sku)
        elif marked_at is not None and self.waiting.get(sku, marked_at) <= ts:
            self.waiting[sku] = marked_at  # it was marked before and after the removal
        self.gone[sku] = max(ts, self.gone.get(sku, -1))
        if len(self.gone) > FAVOURITES_LIMIT:
            del self.gone[min(self.gone, key=self.gone.__getitem__)]

    def unite(self, other: Favourites) -> None:
        """Two ids are one person: the latest word on each SKU counts, and a reminder by either was one."""
        sides = [(dict(each.skus), dict(each.waiting)) for each in (self, other)]
        for sku, marked_at in other.skus.items():
            if marked_at > self.skus.get(sku, -1):
                self._note_price(sku, other.prices.get(sku))
        for own, more in ((self.skus, other.skus), (self.gone, other.gone)):
            for sku, ts in more.items():
                own[sku] = max(ts, own.get(sku, -1))
        self.skus = _latest({sku: ts for sku, ts in self.skus.items() if ts >= self.gone.get(sku, -1)})
        self.gone = _latest(self.gone)
        self.prices = {sku: price for sku, price in self.prices.items() if sku in self.skus}
        self.waiting = {}
        for sku in self.skus:
            gone = self.gone.get(sku, -1)
            marks = [
                (skus[sku], waiting.get(sku)) for skus, waiting in sides if sku in skus and skus[sku] >= gone
            ]
            firsts = [first if first is None or first >= gone else last for last, first in marks]
            if None not in firsts:
                self.waiting[sku] = min(first for first in firsts if first is not None)

    def _note_price(self, sku: str, price: int | None) -> None:
        self.prices.pop(sku, None)
        if price is not None:
            self.prices[sku] = price

    def _forget(self, sku: str) -> None:
        for kept in (self.skus, self.waiting, self.prices):
            kept.pop(sku, None)


def _latest(times: dict[str, int]) -> dict[str, int]:
    kept = sorted(times, key=lambda sku: (-times[sku], sku))[:FAVOURITES_LIMIT]
    return {sku: ts for sku, ts in times.items() if sku in kept}
