"""What did the users of a marketplace do in two hours, as beckon's events and as a table of acts?

Taobao: pv is `product_viewed`, cart `cart_item_added` of one piece, fav `favorited`, buy `order_placed` and
`order_paid`. The last line breaks off in the middle of its time ("15"), and so does the record made of it. No prices
are told: everything costs PRICE.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pandas as pd

from tests.real_data.acts import in_order
from tests.real_data.found import real_data
from tests.real_data.shop import Kind, Line, Record
from tests.real_data.shop import records as records_of

FILE = "taobao_userbehavior_flink_slice.csv.gz"
PRICE = 100
LINES = 96_169
CUT_LINE = "301780,543546,4181361,pv,15"
CUT_RECORD = b'{"type":"product_viewed","user_id":"301780","sku":"543546","category":"4181361","ts":15'
WHOLE_TIME = 10  # digits of a second of 2017

KINDS: dict[str, Kind] = {"pv": "view", "cart": "cart", "fav": "favourite", "buy": "order"}


def records() -> Iterator[Record]:
    with gzip.open(real_data(FILE), "rt", encoding="utf-8") as file:
        for text in map(str.strip, file):
            user, item, category, behaviour, second = text.split(",")
            if len(second) < WHOLE_TIME:
                yield "clickstream", user, CUT_RECORD
            else:
                line = Line(text, KINDS[behaviour], user, int(second) * 1000, item, category, PRICE)
                yield from records_of(line, paid=True)


def lines() -> pd.DataFrame:
    return pd.read_csv(real_data(FILE), names=["user", "item", "category", "behaviour", "second"])


def acts(lines: pd.DataFrame) -> pd.DataFrame:
    """Without the line that breaks off."""
    whole = lines[lines["second"] >= 10 ** (WHOLE_TIME - 1)]
    found = pd.DataFrame(
        {
            "user": whole["user"].astype(str),
            "kind": whole["behaviour"].map(KINDS),
            "sku": whole["item"].astype(str),
            "price": PRICE,
            "at": whole["second"] * 1000,
        }
    )
    return in_order(found)
