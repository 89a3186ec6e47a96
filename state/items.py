"""How many are left of a SKU, what does it cost, and has either just fallen, or its stock come back?

Facts belong to the shard of the SKU's inventory partition, which detects the edges and tells every
shard by letter. An event older than the fact it would replace changes nothing.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from state.events import ItemEdge, PriceChanged, PriceEdge, StockChanged, StockEdge
from state.letters import PRICES_LIMIT


class Item(Struct, array_like=True, gc=False):
    """`available` pieces and `price` in minor units, None where never told; times are epoch ms.

    `prices`: (in force since, price), the last ones, the present one last.
    """

    available: int | None = None
    stock_at: int = -1
    price: int | None = None
    price_at: int = -1
    category: str | None = None
    out_since: int = 0
    prices: list[tuple[int, int]] = []


def apply_item(
    item: Item, event: StockChanged | PriceChanged, low_threshold: int, *, tell_falls: bool = False
) -> ItemEdge | None:
    """Fold one inventory event; the edge it is, if any. A SKU never seen before cannot have fallen.

    `low_threshold`: pieces that are few. `tell_falls`: does anybody want to hear of prices?
    """
    if isinstance(event, PriceChanged):
        fell = event.ts >= item.price_at and _apply_price(item, event)
        if not (fell and tell_falls):
            return None
        return PriceEdge(
            event_id=event.event_id, ts=event.ts, sku=event.sku, price=event.price, prices=tuple(item.prices)
        )
    if event.ts < item.stock_at:
        return None
    before, item.available, item.stock_at = item.available, event.available, event.ts
    item.category = event.category or item.category
    out_since = item.out_since
    if event.available == 0 and before != 0:
        item.out_since = event.ts
    if before is None or not is_edge(before, event.available, low_threshold):
        return None
    return _edge(event, "back", out_since) if before == 0 else _edge(event, "low", 0)


def is_edge(before: int, available: int, low_threshold: int) -> bool:
    """Has the stock just come back, or become low?"""
    return available > 0 and (before == 0 or before > low_threshold >= available)


def _apply_price(item: Item, event: PriceChanged) -> bool:
    """Did the price fall? The first one known may be lower than what users had seen before it was told.

    How far it fell is for each user's rule to say: what the pages and carts of users quoted is not known here.
    """
    before, prices = item.price, item.prices
    if before is not None and not prices:
        prices.append((item.price_at, before))  # known since before prices were kept
    item.price, item.price_at = event.price, event.ts
    if event.price == before:
        return False
    if prices and prices[-1][0] == event.ts:
        prices.pop()
    prices.append((event.ts, event.price))
    del prices[:-PRICES_LIMIT]
    return before is None or event.price < before


def _edge(event: StockChanged, edge: Literal["low", "back"], since: int) -> StockEdge:
    return StockEdge(
        event_id=event.event_id, ts=event.ts, sku=event.sku, edge=edge, available=event.available, since=since
    )
