"""How many are left of a SKU, what does it cost, and has its stock just fallen or come back?

Facts belong to the shard of the SKU's inventory partition, which detects the edges and tells every
shard by letter. An event older than the fact it would replace changes nothing.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from state.events import PriceChanged, StockChanged, StockEdge


class Item(Struct, array_like=True, gc=False):
    """`available` pieces and `price` in minor units, None where never told; times are epoch ms."""

    available: int | None = None
    stock_at: int = -1
    price: int | None = None
    price_at: int = -1
    category: str | None = None
    out_since: int = 0


def apply_item(item: Item, event: StockChanged | PriceChanged, low_threshold: int) -> StockEdge | None:
    """Fold one inventory event; the edge it is, if any. A SKU never seen before cannot have fallen."""
    if isinstance(event, PriceChanged):
        if event.ts >= item.price_at:
            item.price, item.price_at = event.price, event.ts
        return None
    if event.ts < item.stock_at:
        return None
    before, item.available, item.stock_at = item.available, event.available, event.ts
    item.category = event.category or item.category
    out_since = item.out_since
    if event.available == 0 and before != 0:
        item.out_since = event.ts
    if before is None:
        return None
    if before > low_threshold >= event.available > 0:
        return _edge(event, "low", 0)
    if before == 0 < event.available:
        return _edge(event, "back", out_since)
    return None


def _edge(event: StockChanged, edge: Literal["low", "back"], since: int) -> StockEdge:
    return StockEdge(
        event_id=event.event_id, ts=event.ts, sku=event.sku, edge=edge, available=event.available, since=since
    )
