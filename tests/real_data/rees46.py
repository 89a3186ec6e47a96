"""What did the visitors of an electronics shop do in three hours, as beckon's events and as a table of acts?

REES46: view is `product_viewed`, cart `cart_item_added` of one piece, purchase `order_placed` of one piece without
`order_paid`: the shop tells of completed orders only, so they count when placed. Two purchases of three come without a
cart event. Prices are dollars, cents here. The last line breaks off in the middle of its user, and so does the record
made of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd

from tests.real_data.acts import in_order
from tests.real_data.found import real_data, rows
from tests.real_data.shop import Kind, Line, Record
from tests.real_data.shop import records as records_of

FILE = "rees46_multicategory_2019-10-01_head.csv.gz"
CURRENCY = "USD"
LINES, COPIES = 17_435, 5
BOUGHT_PAIRS, UNCARTED_PAIRS = 208, 140  # of (user, SKU)

CUT_USER = "52040330"  # of nine digits
CUT_RECORD = b'{"type":"product_viewed","ts":"2019-10-01T02:50:00Z","sku":"10900305","user_id":"52040330'

KINDS: dict[str, Kind] = {"view": "view", "cart": "cart", "purchase": "order"}


def records() -> Iterator[Record]:
    for row in rows(FILE):
        if not row["user_session"]:
            yield "clickstream", row["user_id"], CUT_RECORD
            continue
        line = Line(
            text=",".join(row.values()),
            kind=KINDS[row["event_type"]],
            user_id=row["user_id"],
            ts=int(_moment(row["event_time"]).timestamp()) * 1000,
            sku=row["product_id"],
            category=row["category_id"],
            price=int(Decimal(row["price"]) * 100),
        )
        yield from records_of(line, paid=False)


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)


def lines() -> pd.DataFrame:
    return pd.read_csv(real_data(FILE), parse_dates=["event_time"])


def acts(lines: pd.DataFrame) -> pd.DataFrame:
    """Each whole line once."""
    lines = lines[lines["user_session"].notna()].drop_duplicates()
    found = pd.DataFrame(
        {
            "user": lines["user_id"].astype(str),
            "kind": lines["event_type"].map(KINDS),
            "sku": lines["product_id"].astype(str),
            "price": (lines["price"] * 100).round().astype("int64"),
            "at": (lines["event_time"] - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(milliseconds=1),
        }
    )
    return in_order(found)
