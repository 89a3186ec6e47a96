"""What did the visitors of a real shop do, as beckon's events, and whom does that abandon?

9,385 lines of RetailRocket, not in time order. `addtocart` is one piece added, `transaction` an order placed
and paid of that one item at the same instant, `view` a product view. The shop tells no prices: every piece
costs PRICE.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from tests.real_data.found import rows

FILE = "retailrocket_sample_events.csv.gz"
PRICE = 100
TRIGGERS, ABANDONED_PAIRS, CARTED_PAIRS = 130, 195, 231  # with a delay of 30 minutes and one step

Record = tuple[str, str, bytes]
"""Topic role, key, value."""


class Reminder(Struct, frozen=True, order=True):
    """Who should hear of which cart, and when (epoch ms)."""

    user_id: str
    due: int
    skus: tuple[str, ...]


def _rows() -> list[dict[str, str]]:
    return sorted(rows(FILE), key=lambda row: int(row["timestamp"]))


def records() -> list[Record]:
    """Every line as one event (a transaction: two), in the order of time."""
    found: list[Record] = []
    for number, row in enumerate(_rows()):
        ts, user, sku = int(row["timestamp"]), row["visitorid"], row["itemid"]
        base: dict[str, Any] = {"event_id": f"rr{number}", "ts": ts, "user_id": user}
        if row["event"] == "view":
            event = {**base, "type": "product_viewed", "sku": sku}
            found.append(("clickstream", user, msgspec.json.encode(event)))
        elif row["event"] == "addtocart":
            event = {**base, "type": "cart_item_added", "sku": sku, "quantity": 1, "price": PRICE}
            found.append(("clickstream", user, msgspec.json.encode(event)))
        else:
            order = {**base, "order_id": f"o{number}"}
            lines = [{"sku": sku, "quantity": 1, "price": PRICE}]
            placed = {**order, "type": "order_placed", "currency": "CNY", "total": PRICE, "lines": lines}
            paid = {**order, "type": "order_paid", "event_id": f"rr{number}p"}
            found += [("orders", user, msgspec.json.encode(event)) for event in (placed, paid)]
    return found


def carted_pairs() -> set[tuple[str, str]]:
    return {(row["visitorid"], row["itemid"]) for row in _rows() if row["event"] == "addtocart"}


def reminders(delay_ms: int) -> list[Reminder]:
    """Straight from the lines, without beckon: every cart that nobody changed for `delay_ms`."""
    by_user: dict[str, list[tuple[int, str, str]]] = {}
    for row in _rows():
        by_user.setdefault(row["visitorid"], []).append((int(row["timestamp"]), row["event"], row["itemid"]))
    last = max(ts for lines in by_user.values() for ts, _, _ in lines)
    return sorted(found for user, lines in by_user.items() for found in _of(user, lines, delay_ms, last))


def _of(user: str, lines: Iterable[tuple[int, str, str]], delay_ms: int, last: int) -> Iterable[Reminder]:
    cart: set[str] = set()
    due: int | None = None
    for ts, kind, sku in [*lines, (last + 1, "end", "")]:
        if due is not None and due < ts and cart:
            yield Reminder(user, due, tuple(sorted(cart)))
            due = None
        if kind == "addtocart":
            cart.add(sku)
            due = ts + delay_ms
        elif kind == "transaction" and sku in cart:
            cart.discard(sku)
            due = ts + delay_ms
