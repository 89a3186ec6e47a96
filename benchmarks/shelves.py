"""What does a shop say whose shelves change at stream rate? Two clicks to one change of an item, seeded.

Of 3,000 events: 2,000 clicks, 800 stock changes and 200 price changes. Clicks are views, cart adds and marks 91.4 :
5.6 : 3.0, as among the clicks of Taobao's UserBehavior; 100,000 users with a mild skew, 20,000 SKUs, popular ones
more.

So many changes of stock are not sales (20,000 clicks a second bring some 400 pieces sold) but a warehouse that tells
its counts again and again. A SKU whose stock is turned over every hundred pieces falls to the threshold 4 times a
second then, and comes back as often: EDGES of the stock changes, weighted by popularity as views are, so they have
watchers. Of the price changes half say the same price again, a quarter raise it, a quarter lower it: mostly by less
than a tenth, which all shards are told and nobody hears of, and PROMOTIONS of them to two thirds, which price_drop
speaks of.

Event time advances as at the rate of the stream, so nothing waits for an hour to pass.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec

from benchmarks.workload import START

SKUS = 20_000
EDGES, PROMOTIONS = 0.001, 0.005
STOCK, PRICE = 60, 1999  # pieces, minor units

Said = tuple[str, str, dict[str, Any]]
"""Topic role, key, event."""


def events(count: int, users: int, rate: int, *, seed: int = 1) -> Iterator[Said]:
    """In order of event time, `rate` a second of it; the first 2 * SKUS tell price and stock of every SKU."""
    rng = random.Random(seed)
    shelf = _Shelf(rng)
    for number in range(2 * SKUS):
        sku, ts = f"sku-{number // 2:05d}", START + number * 1000 // rate
        base = {"event_id": f"{seed:x}-first-{number:x}", "ts": ts, "sku": sku}
        told = {"type": "price_changed", "price": PRICE}, {"type": "stock_changed", "available": STOCK}
        yield "inventory", sku, {**base, **told[number % 2]}
    for number in range(2 * SKUS, count):
        base = {"event_id": f"{seed:x}-{number:010x}-7f3a", "ts": START + number * 1000 // rate}
        if number % 3 == 2:
            yield shelf.change(base)
        else:
            user = f"user-{int(users * rng.random() ** 1.3):07d}"
            yield "clickstream", user, {**base, "user_id": user, "platform": "app", **_click(rng, number)}


def records(count: int, users: int, rate: int, *, seed: int = 1) -> Iterator[tuple[str, bytes, bytes]]:
    """The same as (topic role, key, JSON)."""
    for role, key, event in events(count, users, rate, seed=seed):
        yield role, key.encode(), msgspec.json.encode(event)


def _sku(rng: random.Random) -> str:
    return f"sku-{int(SKUS * rng.random() ** 2):05d}"


def _click(rng: random.Random, number: int) -> dict[str, Any]:
    sku, draw = _sku(rng), rng.random()
    if draw < 0.03:
        return {"type": "favorited", "sku": sku}
    if draw < 0.086:
        return {"type": "cart_item_added", "sku": sku, "quantity": 1, "price": PRICE, "category": sku[-2:]}
    session = f"s-{number >> 4:x}"
    return {"type": "product_viewed", "session_id": session, "sku": sku, "category": sku[-2:], "price": PRICE}


class _Shelf:
    """Stock and price of every SKU, as told."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._stock: dict[str, int] = {}
        self._price: dict[str, int] = {}

    def change(self, base: dict[str, Any]) -> Said:
        rng = self._rng
        sku = _sku(rng)
        if rng.random() < 0.2:
            price = self._price[sku] = self._next_price(self._price.get(sku, PRICE))
            return "inventory", sku, {**base, "type": "price_changed", "sku": sku, "price": price}
        stock = self._stock[sku] = self._next_stock(self._stock.get(sku, STOCK))
        return "inventory", sku, {**base, "type": "stock_changed", "sku": sku, "available": stock}

    def _next_price(self, price: int) -> int:
        draw = self._rng.random()
        if draw < 0.5:
            return price
        if draw < 0.75 or price < PRICE * 2 // 3:
            return max(price, PRICE - 100) + self._rng.randrange(1, 50)
        return price * 2 // 3 if draw > 1 - PROMOTIONS else price - price // self._rng.randrange(25, 100)

    def _next_stock(self, stock: int) -> int:
        """Edges in turns: sold to the last pieces, sold out at once, back again."""
        edge = self._rng.random() < EDGES
        if stock == 0:
            return STOCK if edge else 0
        if edge:
            return 2 if stock > 3 else 0
        return stock if stock <= 3 else self._rng.randrange(20, 100)
