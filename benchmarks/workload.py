"""What does the benchmark feed? A seeded day of shop events, the same for the same seed.

Of 1,000 events: 820 product views, 60 searches or sessions, 80 cart adds, 10 removals, 14 orders placed and
as many paid, 2 stock changes. Users are drawn with a mild skew; event time advances by `gap_ms` an event.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

START = 1_790_000_000_000
PARTITIONS = 8
ROLES = (
    *("clickstream", "orders", "inventory", "customers", "engagement", "context", "letters"),
    *("triggers", "decisions", "dead_letters", "journal"),
)
_encode = {"json": msgspec.json.encode, "msgpack": msgspec.msgpack.encode}
Draw = Callable[[int, random.Random], float]
"""Whose event is number N? The place among all users, from 0 to below 1."""


def events(
    count: int,
    users: int,
    *,
    seed: int = 1,
    gap_ms: float = 5.0,
    start: int = START,
    draw_user: Draw = lambda _, rng: rng.random() ** 1.3,
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(topic role, key, event), in event-time order."""
    rng = random.Random(seed)
    skus = [f"sku-{n:05d}" for n in range(5000)]
    paying: list[tuple[str, str]] = []
    for number in range(count):
        ts = start + int(number * gap_ms)
        user = f"user-{int(users * draw_user(number, rng)):07d}"
        sku = skus[int(5000 * rng.random() ** 2)]
        draw = rng.random()
        base = {"event_id": f"{seed:x}-{number:010x}-7f3a", "ts": ts, "user_id": user, "platform": "app"}
        if paying and draw < 0.014:
            user, order = paying.pop()
            yield "orders", user, {**base, "type": "order_paid", "user_id": user, "order_id": order}
        elif draw < 0.028:
            order = f"o-{number:x}"
            line = {"sku": sku, "quantity": 1, "price": 1999, "category": sku[-2:]}
            paying.append((user, order))
            event = {
                "type": "order_placed",
                "order_id": order,
                "total": 1999,
                "currency": "CNY",
                "lines": [line],
            }
            yield "orders", user, {**base, **event}
        elif draw < 0.03:
            base.pop("user_id")
            yield (
                "inventory",
                sku,
                {**base, "type": "stock_changed", "sku": sku, "available": rng.randrange(9)},
            )
        elif draw < 0.11:
            added = {
                "type": "cart_item_added",
                "sku": sku,
                "quantity": 1,
                "price": 1999,
                "category": sku[-2:],
            }
            yield "clickstream", user, {**base, **added}
        elif draw < 0.12:
            yield "clickstream", user, {**base, "type": "cart_item_removed", "sku": sku}
        elif draw < 0.15:
            yield "clickstream", user, {**base, "type": "session_started", "session_id": f"s-{number:x}"}
        elif draw < 0.18:
            yield "clickstream", user, {**base, "type": "searched", "query": "running shoes"}
        else:
            viewed = {"type": "product_viewed", "session_id": f"s-{number >> 4:x}", "sku": sku}
            yield "clickstream", user, {**base, **viewed, "category": sku[-2:], "price": 1999}


def records(count: int, users: int, form: str, *, seed: int = 1) -> Iterator[tuple[str, bytes, bytes]]:
    """The same as (topic role, key, value) in `form`: json or msgpack."""
    encode = _encode[form]
    for role, key, event in events(count, users, seed=seed):
        yield role, key.encode(), encode(event)
