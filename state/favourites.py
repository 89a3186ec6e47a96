"""What has this user marked as a favourite, and since when?

Order-insensitive: a mark older than the removal of its SKU does not bring it back.
"""

from __future__ import annotations

from msgspec import Struct

FAVOURITES_LIMIT = 50


class Favourites(Struct, array_like=True, gc=False):
    """`skus`: marked at; `gone`: removed at."""

    skus: dict[str, int] = {}
    gone: dict[str, int] = {}

    def add(self, ts: int, sku: str) -> bool:
        if ts < self.gone.get(sku, -1):
            return False
        if sku not in self.skus and len(self.skus) >= FAVOURITES_LIMIT:
            del self.skus[min(self.skus, key=self.skus.__getitem__)]
        self.skus[sku] = max(ts, self.skus.get(sku, -1))
        return True

    def remove(self, ts: int, sku: str) -> None:
        if self.skus.get(sku, ts + 1) <= ts:
            del self.skus[sku]
        self.gone[sku] = max(ts, self.gone.get(sku, -1))
        if len(self.gone) > FAVOURITES_LIMIT:
            del self.gone[min(self.gone, key=self.gone.__getitem__)]
