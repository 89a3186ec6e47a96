"""What did the customers of a real wholesaler order, as beckon's events?

UCI Online Retail, 13 months: the 397,884 lines with a customer, a positive quantity and a positive price. An
invoice is one order, placed and paid at its first line's minute; money is pence, rounded line by line.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pandas as pd
from msgspec import Struct

from tests.real_data.found import real_data

FILE = "uci_online_retail.csv.gz"
LINES, USERS = 397_884, 4_338
HOUR_MS = 3_600_000

Record = tuple[str, str, bytes]
"""Topic role, key, value."""


class Order(Struct):
    order_id: str
    user_id: str
    ts: int
    total: int
    lines: list[dict[str, Any]]


def valid_lines() -> pd.DataFrame:
    """Columns invoice, user, sku, quantity, price (pounds), at (a moment in UTC)."""
    columns = {"InvoiceNo": "invoice", "CustomerID": "user", "StockCode": "sku", "Quantity": "quantity"}
    raw = pd.read_csv(
        real_data(FILE), dtype={"InvoiceNo": str, "StockCode": str}, parse_dates=["InvoiceDate"]
    )
    lines = raw.rename(columns={**columns, "UnitPrice": "price", "InvoiceDate": "at"})
    lines = lines[lines["user"].notna() & (lines["quantity"] > 0) & (lines["price"] > 0)].copy()
    lines["user"] = lines["user"].astype(int).astype(str)
    lines["at"] = lines["at"].dt.tz_localize("UTC")
    return lines


def orders(lines: pd.DataFrame) -> list[Order]:
    found: dict[str, Order] = {}
    places = lines[["invoice", "user", "sku", "quantity", "price", "at"]]
    for invoice, user, sku, quantity, price, at in places.itertuples(index=False, name=None):
        ts = int(at.timestamp() * 1000)
        order = found.setdefault(invoice, Order(invoice, user, ts, 0, []))
        order.ts = min(order.ts, ts)
        order.total += round(quantity * price * 100)
        order.lines.append({"sku": sku, "quantity": quantity, "price": round(price * 100)})
    return list(found.values())


def shuffled(found: list[Order], seed: int) -> list[Record]:
    """Each event up to an hour after its time, so that none is later than beckon allows."""
    rng = random.Random(seed)
    arriving = [
        (event["ts"] + rng.uniform(0, HOUR_MS), order.user_id, msgspec.json.encode(event))
        for order in found
        for event in _events(order)
    ]
    return [("orders", user_id, value) for _, user_id, value in sorted(arriving)]


def _events(order: Order) -> Iterator[dict[str, Any]]:
    base = {"ts": order.ts, "user_id": order.user_id, "order_id": order.order_id}
    value = {"currency": "GBP", "total": order.total, "lines": order.lines}
    yield {**base, **value, "event_id": f"{order.order_id}-placed", "type": "order_placed"}
    yield {**base, "event_id": f"{order.order_id}-paid", "type": "order_paid"}
