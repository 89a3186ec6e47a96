"""Which categories has this user looked at again and again, and of which lower prices was she told?

Views count until something ends the looking around: the cart, an order, a word of ours. Those of SKUs are counted
in state/viewed.py.
"""

from __future__ import annotations

from msgspec import Struct

from state.viewed import fresh_after

CATEGORIES_LIMIT = 8
TOLD_LIMIT = 64


class Looked(Struct, array_like=True, gc=False):
    """A category: when last looked at, and how often after `since`."""

    at: int
    fresh: int = 0
    since: int = -1


class Browsing(Struct, array_like=True, gc=False):
    """`categories`: the latest looked at. `told`: SKU to when price_drop last spoke of it."""

    categories: dict[str, Looked] = {}
    told: dict[str, int] = {}

    def look(self, ts: int, category: str) -> None:
        looked = self.categories.pop(category, None) or Looked(ts)
        self.categories[category] = looked  # the latest last, so that the first may go
        if ts > looked.since:
            looked.fresh += 1
        looked.at = max(ts, looked.at)
        if len(self.categories) > CATEGORIES_LIMIT:
            del self.categories[next(iter(self.categories))]

    def tell(self, ts: int, sku: str) -> None:
        self.told[sku] = max(ts, self.told.get(sku, -1))
        if len(self.told) > TOLD_LIMIT:
            del self.told[min(self.told, key=lambda known: (self.told[known], known))]

    def unite(self, other: Browsing) -> None:
        """Two ids are one person: what either did ends the looking around of both."""
        for category, theirs in other.categories.items():
            own = self.categories.get(category, theirs)
            since = max(own.since, theirs.since)
            fresh = sum(fresh_after(each, since) for each in ([own] if own is theirs else [own, theirs]))
            self.categories[category] = Looked(max(own.at, theirs.at), fresh, since)
        kept = sorted(self.categories, key=lambda name: (self.categories[name].at, name))[-CATEGORIES_LIMIT:]
        self.categories = {name: self.categories[name] for name in kept}
        for sku, ts in other.told.items():
            self.tell(ts, sku)


def end_looking(look: Looked | None, ts: int) -> None:
    """Carted, bought or spoken of: from here on views count anew."""
    if look is not None and ts > look.since:
        look.fresh, look.since = fresh_after(look, ts), ts
