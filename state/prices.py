"""What did a SKU cost when, and has its price fallen far enough? In integers, so that no cent is lost to a float."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

Prices = Sequence[tuple[int, int]]
"""(in force since, price) of one SKU, ascending."""


def in_force(prices: Prices, at: int) -> int | None:
    """The price at that time; of a time before all that is known the first price known after it."""
    if not prices:
        return None
    return max((known for known in prices if known[0] <= at), default=prices[0])[1]


def fell(price: int, before: int, share: float) -> bool:
    """Is `price` at least `share` below `before`? Exactly `share` is enough."""
    part, whole = _as_integers(share)
    return price < before and price * whole <= before * (whole - part)


def rose(prices: Prices, after: int, before: int, share: float) -> bool:
    """Did the price rise after that time, to where it had not `fell` below `before`?"""
    return any(
        since > after and price > previous and not fell(price, before, share)
        for (_, previous), (since, price) in pairwise(prices)
    )


@lru_cache(maxsize=8)
def _as_integers(share: float) -> tuple[int, int]:
    """0.1 as somebody wrote it, not as a float holds it."""
    return Fraction(str(share)).as_integer_ratio()
