"""Do population counters give the scores and segments that the R package rfm has published for its two data sets?

Cut points and counts are those of its vignettes "RFM customer level data" and "RFM transaction level data"; names and
ranges of the segments are of the same pages, the first that fits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date

import pytest

from state.calendar import DAY, Days
from state.population import Population, Scale, cuts_of
from state.rfm import Rfm
from state.scores import Cuts, Scores, scores_of, values_of
from tests.real_data.found import rows

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
