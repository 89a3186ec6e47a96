"""What did the customers of a large Chinese shop do in three hours, as beckon's events and as a table of acts?

JData: browse and click are `product_viewed`, cart is `cart_item_added` of one piece, remove `cart_item_removed` of the
whole line (it says no number), order `order_placed` and `order_paid`, follow `favorited`. A quarter of the lines are
exact copies of another. The shop tells no prices: everything costs PRICE. Times are read as UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pandas as pd

from tests.real_data.acts import in_order
from tests.real_data.found import real_data, rows
from tests.real_data.shop import Kind, Line, Record
from tests.real_data.shop import records as records_of

FILE = "jdata_action_201602_head30k.csv.gz"
PRICE = 100
LINES, COPIES = 29_999, 7_643

KINDS: dict[str, Kind] = {
    "1": "view",
    "2": "cart",
    "3": "remove",
    "4": "order",
    "5": "favourite",
    "6": "view",
}


def records() -> Iterator[Record]:
    """Every line, copies included, as its events."""
    for row in rows(FILE):
        line = Line(
            text=",".join(row.values()),
            kind=KINDS[row["type"]],
            user_id=row["user_id"].removesuffix(".0"),
            ts=int(datetime.fromisoformat(row["time"]).replace(tzinfo=UTC).timestamp()) * 1000,
            sku=row["sku_id"],
            category=row["cate"],
            price=PRICE,
        )
        yield from records_of(line, paid=True)


def lines() -> pd.DataFrame:
    return pd.read_csv(real_data(FILE), parse_dates=["time"])


def acts(lines: pd.DataFrame) -> pd.DataFrame:
    """Each line once."""
    lines = lines.drop_duplicates()
    kinds = {int(kind): name for kind, name in KINDS.items()}
    found = pd.DataFrame(
        {
            "user": lines["user_id"].astype("int64").astype(str),
            "kind": lines["type"].map(kinds),
            "sku": lines["sku_id"].astype(str),
            "price": PRICE,
            "at": (lines["time"] - pd.Timestamp(0)) // pd.Timedelta(milliseconds=1),
        }
    )
    return in_order(found)
