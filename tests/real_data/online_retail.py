"""What did the customers of a real wholesaler order, as beckon's events?

UCI Online Retail, 13 months: the 397,884 lines with a customer, a positive quantity and a positive price. An
invoice is one order, placed and paid at its first line's minute; money is pence, rounded line by line.

What is cancelled is an invoice of its own ("C536379") that names no order. Each of its lines is taken for a refund of
the customer's latest order of that SKU before it; where there is none, because it was bought before the data begin, for
one of an order that beckon has never heard of. The shop sends each refund twice.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import msgspec
import pandas as pd
from msgspec import Struct

from tests.real_data.found import real_data

FILE = "uci_online_retail.csv.gz"
LINES, USERS = 397_884, 4_338
CANCELLED_LINES = 8_905
HOUR_MS = 3_600_000

Record = tuple[str, str, bytes]
"""Topic role, key, value."""


class Order(Struct):
    order_id: str
    user_id: str
    ts: int
    total: int
    lines: list[dict[str, Any]]


class Refund(Struct):
    refund_id: str
    order_id: str
    user_id: str
    ts: int
    amount: int


def valid_lines() -> pd.DataFrame:
    """Columns invoice, user, sku, quantity, price (pounds), at (a moment in UTC)."""
    lines = _lines()
    return lines[(lines["quantity"] > 0) & (lines["price"] > 0)].copy()


def lines_that_sold() -> pd.DataFrame:
    """The same columns, with the few lines that cost nothing."""
    lines = _lines()
    return lines[lines["quantity"] > 0].copy()


def cancelled_lines() -> pd.DataFrame:
    """The same columns; what went back has a positive quantity here."""
    lines = _lines()
    cancelled = lines[lines["invoice"].str.startswith("C")]
    return cancelled.assign(quantity=-cancelled["quantity"])


@cache
def _lines() -> pd.DataFrame:
    """Those with a customer; not to be changed."""
    columns = {"InvoiceNo": "invoice", "CustomerID": "user", "StockCode": "sku", "Quantity": "quantity"}
    raw = pd.read_csv(
        real_data(FILE), dtype={"InvoiceNo": str, "StockCode": str}, parse_dates=["InvoiceDate"]
    )
    lines = raw.rename(columns={**columns, "UnitPrice": "price", "InvoiceDate": "at"})
    lines = lines[lines["user"].notna()].copy()
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


def refunds(cancelled: pd.DataFrame, placed: list[Order]) -> list[Refund]:
    """One for each order that a cancel invoice takes from, at the invoice's first minute."""
    bought: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for order in sorted(placed, key=lambda order: order.ts):
        for line in order.lines:
            bought.setdefault((order.user_id, line["sku"]), []).append((order.ts, order.order_id))
    found: dict[tuple[str, str], Refund] = {}
    first = cancelled.groupby("invoice")["at"].transform("min")
    places = cancelled.assign(at=first)[["invoice", "user", "sku", "quantity", "price", "at"]]
    for invoice, user, sku, quantity, price, at in places.itertuples(index=False, name=None):
        ts = int(at.timestamp() * 1000)
        before = bought.get((user, sku), [])
        latest = bisect_right(before, ts, key=lambda known: known[0])
        order_id = before[latest - 1][1] if latest else f"before-{invoice}"
        new = Refund(f"{invoice}-{order_id}", order_id, user, ts, 0)
        found.setdefault((invoice, order_id), new).amount += round(quantity * price * 100)
    return list(found.values())


def shuffled(found: Iterable[Order | Refund], seed: int) -> list[Record]:
    """Each event up to an hour after its time, so that none is later than beckon allows."""
    rng = random.Random(seed)
    arriving = [
        (event["ts"] + rng.uniform(0, HOUR_MS), each.user_id, msgspec.json.encode(event))
        for each in found
        for event in _events(each)
    ]
    return [("orders", user_id, value) for _, user_id, value in sorted(arriving)]


def _events(of: Order | Refund) -> Iterator[dict[str, Any]]:
    base = {"ts": of.ts, "user_id": of.user_id, "order_id": of.order_id}
    if isinstance(of, Refund):
        money = {"currency": "GBP", "amount": of.amount}
        yield from [{**base, **money, "event_id": of.refund_id, "type": "refund_issued"}] * 2
        return
    value = {"currency": "GBP", "total": of.total, "lines": of.lines}
    yield {**base, **value, "event_id": f"{of.order_id}-placed", "type": "order_placed"}
    yield {**base, "event_id": f"{of.order_id}-paid", "type": "order_paid"}
