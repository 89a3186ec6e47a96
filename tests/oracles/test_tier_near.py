"""Is every approach to a tier told once, at the purchase that makes it one?"""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.oracles.kit import Arrival, Told, scattered, told
from tests.oracles.spending import PURCHASES, Books, once, spending
from tests.oracles.test_tier_changed import TIERS, earned


def near(books: Books, now: int) -> str | None:
    """The next tier, if a tenth of its spend is lacking at most, and one order. None is kept: tier_changed is off."""
    orders, net = books.window(now, 365)
    above = TIERS[earned(books, now, 365) + 1 :]
    if not above:
        return None
    name, spend, least = above[0]
    return name if spend - net <= spend // 10 and least - orders <= 1 else None


def expected(arrivals: list[Arrival]) -> list[Told]:
    books, now, said = Books(), -1, []
    mark: str | None = None
    for at, event in once(arrivals):
        for moment in sorted({now, *books.moments(365)}):
            if mark is not None and now <= moment < at and near(books, moment) != mark:
                now, mark = moment, None
        name = books.add(event)
        now = max(now, event.ts)
        close = near(books, now)
        if not isinstance(event, PURCHASES) and close != mark:
            mark = None
        if name is not None and close is not None and close != mark:
            mark = close
            said.append(Told("u1", 1, f"{name}-paid", books.counted()[name][0]))
    return said


@given(st.integers(0, 2**32))
def test_approaches_are_told_as_brute_force_says(seed: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, spending(chance, (50, 450, 900, 950, 1000, 3600, 4000, 13_000)))
    assert told("tier_near", {"within": 0.1, "missing_orders": 1}, arrivals) == expected(arrivals)
