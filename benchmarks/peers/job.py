"""What do all engines read? A seeded log of clicks and orders, with what is to be told of it in the rules' terms.

Shoppers come for a visit of some clicks, put something in their carts now and then, and at the end of the visit some
order what is in the cart. CONCURRENT visits go on at a time and take turns at random, so that nearly every event of a
batch is of another user, as in a shop with many customers; within a visit there are about GAP_MS * CONCURRENT between
two clicks. Of 1,000 events: some 893 views, 30 marks, 54 cart adds, 7 removals, 16 orders.

Two rules. cart_abandoned: something is in the cart and CART_DELAY_MS have passed since its last change.
spend_milestone: an order, as it is placed, lifts the spend of WINDOW_DAYS days to a rung of LADDER. Both are beckon's
own with their default numbers (config/triggers.yaml), without the cart's second step.

Event time rises with every event, and a user's events lie on one partition in their order, so there is one right
answer. At the end a user of each partition fills a cart and orders it, long after: by then time has passed all dues.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec

from benchmarks.workload import PARTITIONS, START
from connectors.murmur2 import partition

CART_DELAY_MS = 3_600_000
LADDER = (50_000, 100_000, 200_000, 500_000)
WINDOW_DAYS = 30
OUT_OF_ORDERNESS_MS = 5_000

GAP_MS, CONCURRENT, CLICKS = 10, 2_000, 9
SKUS = 5_000
ADDS, REMOVALS, MARKS = 0.055, 0.02, 0.03  # of clicks; a removal needs something in the cart
BUYS = 0.35  # of visits that end with something in the cart

Said = tuple[str, str, dict[str, Any]]
"""Topic role, user, event."""


def events(count: int, users: int, *, seed: int = 1) -> Iterator[Said]:
    """So many in order of event time, and 2 * PARTITIONS at the end."""
    rng = random.Random(seed)
    carts: dict[str, dict[str, int]] = {}
    visits = [_Visit(rng, users, early=True) for _ in range(CONCURRENT)]
    for number in range(count):
        at = rng.randrange(CONCURRENT)
        visit = visits[at]
        cart = carts.setdefault(visit.user, {})
        base = {"event_id": f"{seed:x}-{number:010x}-7f3a", "ts": START + number * GAP_MS}
        base |= {"user_id": visit.user, "platform": "app"}
        if visit.left == 0:
            visits[at] = _Visit(rng, users)
            if cart and rng.random() < BUYS:
                yield "orders", visit.user, {**base, **_order(number, cart)}
                cart.clear()
                continue
        yield "clickstream", visit.user, {**base, **_click(rng, number, cart)}
        visit.left -= 1
    yield from _closing(count, seed)


def records(count: int, users: int, *, seed: int = 1) -> Iterator[tuple[str, bytes, bytes, int]]:
    """The same as (topic role, key, JSON, event time)."""
    for role, user, event in events(count, users, seed=seed):
        yield role, user.encode(), msgspec.json.encode(event), event["ts"]


class _Visit:
    def __init__(self, rng: random.Random, users: int, *, early: bool = False) -> None:
        """`early`: begun before the log."""
        self.user = f"user-{int(users * rng.random() ** 1.3):07d}"
        clicks = rng.randrange(2, 2 * CLICKS - 1)
        self.left = rng.randrange(clicks) if early else clicks


def _click(rng: random.Random, number: int, cart: dict[str, int]) -> dict[str, Any]:
    sku, draw = f"sku-{int(SKUS * rng.random() ** 2):05d}", rng.random()
    if draw < ADDS:
        cart[sku] = cart.get(sku, 0) + 1
        return {
            "type": "cart_item_added",
            "sku": sku,
            "quantity": 1,
            "price": _price(sku),
            "category": sku[-2:],
        }
    if draw < ADDS + REMOVALS and cart:
        gone = next(iter(cart))
        del cart[gone]
        return {"type": "cart_item_removed", "sku": gone}
    if draw > 1 - MARKS:
        return {"type": "favorited", "sku": sku}
    viewed = {"type": "product_viewed", "session_id": f"s-{number >> 4:x}", "sku": sku}
    return {**viewed, "category": sku[-2:], "price": _price(sku)}


def _order(number: int, cart: dict[str, int]) -> dict[str, Any]:
    lines = [
        {"sku": sku, "quantity": quantity, "price": _price(sku), "category": sku[-2:]}
        for sku, quantity in cart.items()
    ]
    total = sum(_price(sku) * quantity for sku, quantity in cart.items())
    return {
        "type": "order_placed",
        "order_id": f"o-{number:x}",
        "total": total,
        "currency": "CNY",
        "lines": lines,
    }


def _price(sku: str) -> int:
    """Minor units, 9.99 to 408.99."""
    return 999 + 100 * (int(sku[-5:]) * 7919 % 400)


def _closing(count: int, seed: int) -> Iterator[Said]:
    """Two cart delays and ten minutes later: some engines close a session only one gap after it has ended."""
    ts = START + count * GAP_MS + 2 * CART_DELAY_MS + 600_000
    users: dict[int, str] = {}
    for number in range(64 * PARTITIONS):
        user = f"closing-{number}"
        users.setdefault(partition(user.encode(), PARTITIONS), user)
    assert len(users) == PARTITIONS
    for place, user in sorted(users.items()):
        base = {"event_id": f"{seed:x}-add-{place}", "ts": ts + place, "user_id": user, "platform": "app"}
        yield (
            "clickstream",
            user,
            {**base, "type": "cart_item_added", "sku": "sku-00000", "quantity": 1, "price": 1},
        )
    for place, user in sorted(users.items()):
        base = {
            "event_id": f"{seed:x}-order-{place}",
            "ts": ts + 1_000 + place,
            "user_id": user,
            "platform": "app",
        }
        line = {"sku": "sku-00000", "quantity": 1, "price": 1}
        order = {"type": "order_placed", "order_id": f"o-closing-{place}", "total": 1, "lines": [line]}
        yield "orders", user, {**base, **order}
