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

    def unite(self, other: Favourites) -> None:
        """Two ids are one person: the latest word on each SKU counts."""
        for own, more in ((self.skus, other.skus), (self.gone, other.gone)):
            for sku, ts in more.items():
                own[sku] = max(ts, own.get(sku, -1))
        self.skus = _latest({sku: ts for sku, ts in self.skus.items() if ts >= self.gone.get(sku, -1)})
        self.gone = _latest(self.gone)


def _latest(times: dict[str, int]) -> dict[str, int]:
    kept = sorted(times, key=lambda sku: (-times[sku], sku))[:FAVOURITES_LIMIT]
    return {sku: ts for sku, ts in times.items() if sku in kept}
