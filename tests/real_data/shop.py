"""How does one line of a shop's export become beckon's events?

The id of an event is a hash of its line, so a line that is there twice is one event, sent twice. Nor do these exports
know an order of several things: each line of a purchase is an order of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from msgspec import Struct

Record = tuple[str, str, bytes]
"""Topic role, key, value."""

Kind = Literal["view", "cart", "remove", "favourite", "order"]
TYPES: dict[Kind, str] = {
    "view": "product_viewed",
    "cart": "cart_item_added",
    "remove": "cart_item_removed",
    "favourite": "favorited",
    "order": "order_placed",
}


class Line(Struct, frozen=True):
    """`text` is the line as it was exported; `price` is minor units."""

    text: str
    kind: Kind
    user_id: str
    ts: int
    sku: str
    category: str
    price: int


def records(line: Line, *, paid: bool) -> Iterator[Record]:
    """Its event; with `paid` an order is followed by its payment, at the same instant."""
    name = hashlib.blake2b(line.text.encode(), digest_size=12).hexdigest()
    event = {"event_id": name, "type": TYPES[line.kind], "ts": line.ts, "user_id": line.user_id}
    piece = {"sku": line.sku, "quantity": 1, "price": line.price, "category": line.category}
    match line.kind:
        case "view":
            yield _record("clickstream", event, sku=line.sku, category=line.category, price=line.price)
        case "cart":
            yield _record("clickstream", event, **piece)
        case "remove" | "favourite":
            yield _record("clickstream", event, sku=line.sku)
        case "order":
            yield _record("orders", event, order_id=name, total=line.price, lines=[piece])
            if paid:
                payment = {**event, "event_id": f"{name}-paid", "type": "order_paid"}
                yield _record("orders", payment, order_id=name)


def _record(topic: str, event: dict[str, Any], **fields: Any) -> Record:
    return topic, event["user_id"], msgspec.json.encode({**event, **fields})
