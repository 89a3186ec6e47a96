"""Do recency, frequency and money of real customers give the tables that others have published?

Of the R package rfm for its two data sets: cut points and counts are those of its vignettes "RFM customer level data"
and "RFM transaction level data"; names and ranges of the segments are of the same pages, the first that fits. Of UCI
Online Retail: five segments by pandas' qcut (Kaabi-ml/RFM-online-retail-II), whose scores part equal frequencies by the
order of the rows, and the eight segments by mean and by median (science, section 1).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date

import pandas as pd
import pytest
from msgspec import structs

from state.calendar import DAY, Days
from state.population import Population, Scale, cuts_of
from state.rfm import Rfm
from state.scores import Cuts, Scores, scores_of, values_of
from state.segments import flags_of
from state.user import User
from tests.real_data import online_retail
from tests.real_data.found import rows
from tests.triggers.shop import FOLD

ANALYSIS = date(2006, 12, 31).toordinal() - date(1970, 1, 1).toordinal()
UTC = Days("UTC")
EXACT = Scale(UTC, 0.0001)  # buckets of money narrower than a dollar, as far as these customers spend
SEGMENTS = {  # ranges of R, of F, of M
    "Champions": ((5, 5), (5, 5), (5, 5)),
    "Potential Loyalist": ((3, 5), (3, 5), (2, 5)),
    "Loyal": ((2, 4), (2, 4), (2, 4)),
    "Promising": ((3, 4), (1, 3), (3, 5)),
    "New": ((4, 5), (1, 3), (1, 5)),
    "Can't Lose": ((1, 2), (3, 4), (4, 5)),
    "At Risk": ((1, 2), (2, 5), (4, 5)),
    "Need Attention": ((1, 3), (3, 5), (3, 5)),
    "About To Sleep": ((2, 3), (1, 3), (1, 4)),
    "Lost": ((1, 1), (1, 5), (1, 5)),
}


def segment(scores: Scores) -> str:
    for name, ranges in SEGMENTS.items():
        if all(low <= score <= high for score, (low, high) in zip(scores, ranges, strict=True)):
            return name
    return "Others"


def scored(buyers: Iterable[Rfm]) -> tuple[Cuts, list[Scores]]:
    population, kept = Population({}, 0), list(buyers)
    for rfm in kept:
        population.move(None, EXACT.place_of(rfm, 0))
    cuts = cuts_of(population.totals, ANALYSIS, EXACT, good_score=4, keep_margin=0.05)
    return cuts, [scores_of(v, cuts) for rfm in kept if (v := values_of(rfm, 0, cuts, UTC)) is not None]


def test_the_published_table_of_customers() -> None:
    cuts, scores = scored(
        Rfm(
            orders=round(float(row["number_of_orders"])),
            net_amount=round(float(row["revenue"])),
            last_order_at=(ANALYSIS - round(float(row["recency_days"]))) * DAY,
        )
        for row in rows("rfm_data_customer.csv.gz")
    )
    assert (cuts.r, cuts.f, cuts.m) == ((77, 126, 177, 266), (8, 10, 11, 13), (641, 827, 1003, 1226))
    first = ["".join(map(str, each)) for each in scores[:10]]
    assert first == ["222", "455", "511", "544", "545", "543", "455", "342", "522", "333"]
    assert Counter(map(segment, scores)) == {
        "Potential Loyalist": 12762,
        "Loyal": 6965,
        "Lost": 5535,
        "New": 4475,
        "About To Sleep": 4095,
        "At Risk": 2081,
        "Champions": 1571,
        "Can't Lose": 1471,
        "Need Attention": 679,
        "Promising": 297,
        "Others": 68,
    }


def test_the_published_table_of_orders() -> None:
    buyers: defaultdict[str, Rfm] = defaultdict(Rfm)
    for row in rows("rfm_data_orders.csv.gz"):
        at = (date.fromisoformat(row["order_date"]).toordinal() - date(1970, 1, 1).toordinal()) * DAY
        buyers[row["customer_id"]].add_order(at, int(row["revenue"]), UTC)
    assert (len(buyers), sum(rfm.orders for rfm in buyers.values())) == (995, 4906)

    cuts, scores = scored(buyers.values())
    assert cuts.r == pytest.approx((115, 181, 297.4, 482))
    assert cuts.f == pytest.approx((4, 5, 6, 8))
    assert cuts.m == pytest.approx((255.8, 382, 506.4, 666))
    assert Counter(map(segment, scores)) == {
        "Potential Loyalist": 342,
        "Loyal": 170,
        "Lost": 148,
        "New": 104,
        "About To Sleep": 102,
        "Can't Lose": 47,
        "Champions": 35,
        "At Risk": 28,
        "Need Attention": 10,
        "Promising": 9,
    }


def customers(lines: pd.DataFrame) -> dict[str, Rfm]:
    found: defaultdict[str, Rfm] = defaultdict(Rfm)
    for order in online_retail.orders(lines):
        found[order.user_id].add_order(order.ts, order.total, UTC)
    return found


def test_the_published_segments_of_online_retail() -> None:
    lines = online_retail.valid_lines()
    last = int(lines["at"].max().timestamp() * 1000) + DAY
    table = pd.DataFrame(
        {
            "days": (last - (rfm.last_order_at or 0)) // DAY,
            "orders": rfm.orders,
            "pounds": rfm.net_amount / 100,
        }
        for _, rfm in sorted(customers(lines).items())
    )
    r = 5 - pd.qcut(table["days"], 5, labels=False)
    f = 1 + pd.qcut(table["orders"].rank(method="first"), 5, labels=False)
    table["segment"] = "Lost"
    table.loc[(r >= 4) & (f <= 2), "segment"] = "New"
    table.loc[(r <= 2) & (f >= 3), "segment"] = "At Risk"
    table.loc[(r >= 3) & (f >= 3), "segment"] = "Loyal"
    table.loc[(r >= 4) & (f >= 4), "segment"] = "Champions"
    found = table.groupby("segment").agg(
        buyers=("days", "size"), days=("days", "mean"), pounds=("pounds", "sum")
    )
    assert found["buyers"].to_dict() == {
        "Champions": 1139, "Loyal": 821, "At Risk": 643, "New": 319, "Lost": 1416,
    }  # fmt: skip
    assert found["days"].round(2).to_dict() == {
        "Champions": 13.31, "Loyal": 38.04, "At Risk": 152.84, "New": 18.52, "Lost": 177.15,
    }  # fmt: skip
    # Money is pence, rounded line by line.
    assert found["pounds"].to_dict() == pytest.approx(
        {
            "Champions": 5927723.91,
            "Loyal": 1355744.71,
            "At Risk": 800531.55,
            "New": 146166.57,
            "Lost": 681241.16,
        },
        abs=0.5,
    )


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        # better than the mean: R < 93.06, F > 4.27, M > 2054.27
        ((94, 5, 205_428), (689, 117, 27, 38, 358, 1750, 41, 1318)),
        # better than the median: R <= 51, F > 2, M > 674.485
        ((52, 3, 67_449), (1300, 154, 425, 290, 145, 577, 140, 1307)),
    ],
    ids=["mean", "median"],
)
def test_the_eight_segments_of_online_retail(
    thresholds: tuple[int, int, int], expected: tuple[int, ...]
) -> None:
    """What cost nothing is an order too, as in that count; who has paid nothing is no customer."""
    lines = online_retail.lines_that_sold()
    today = pd.Timestamp("2011-12-10", tz="UTC").value // 1_000_000
    r, f, m = ((float(each),) * 4 for each in thresholds)
    cuts = Cuts(version="published", r=r, f=f, m=m)
    params = structs.replace(FOLD.segments, by="cuts", cuts=cuts)
    found: Counter[str | None] = Counter()
    for user_id, rfm in customers(lines).items():
        user = User.new(user_id)
        user.own_rfm = rfm
        if rfm.net_amount > 0:
            found[flags_of(user, today, params, UTC)] += 1
    names = ("111", "101", "011", "001", "110", "100", "010", "000")
    assert found == dict(zip(names, expected, strict=True))
