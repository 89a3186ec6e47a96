"""What did the buyers of a real record shop order, as beckon's events?

CDNOW, the 1/10 sample: 6,919 orders of 2,357 people who bought first in the first quarter of 1997, to the end of June
1998. Only days are told: every order is placed and paid for at noon. Money is cents.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from tests.real_data.found import real_data

FILE = "CDNOW_sample.txt.gz"
ORDERS, BUYERS = 6_919, 2_357
LAST_KNOWN = datetime(
    1997, 9, 30, 23, 59, 59, tzinfo=UTC
)  # science, section 4: what is asked of comes after it

Record = tuple[str, str, bytes]
"""Topic role, key, value."""


class Order(Struct, frozen=True):
    order_id: str
    user_id: str
    at: datetime
    cents: int
    discs: int


def orders() -> list[Order]:
    found = []
    with gzip.open(real_data(FILE), "rt") as lines:
        for number, line in enumerate(lines):
            _, user_id, day, discs, dollars = line.split()
            at = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) + timedelta(hours=12)
            found.append(Order(f"o{number}", user_id, at, round(float(dollars) * 100), int(discs)))
    return sorted(found, key=lambda order: order.at)


def records(placed: list[Order]) -> Iterator[Record]:
    for order in placed:
        about = {"ts": int(order.at.timestamp() * 1000), "user_id": order.user_id, "order_id": order.order_id}
        lines = [
            {"sku": f"{order.order_id}-discs", "quantity": max(order.discs, 1)}
        ]  # which ones nobody has told
        value = {"currency": "USD", "total": order.cents, "lines": lines}
        for event in (
            {**about, **value, "type": "order_placed", "event_id": f"{order.order_id}-placed"},
            {**about, "type": "order_paid", "event_id": f"{order.order_id}-paid"},
        ):
            yield "orders", order.user_id, msgspec.json.encode(event)
