"""Is a fall of a price told to the cent, and a time's price found?"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from hypothesis import given
from hypothesis import strategies as st

from state.prices import fell, in_force, rose
from state.values import MAX_MONEY

_CHANGES = st.dictionaries(st.integers(0, 50), st.integers(1, 9), min_size=1, max_size=12)


@given(
    st.integers(1, MAX_MONEY), st.sampled_from(["0.1", "0.05", "0.07", "0.3", "0.29", "0.333", "0.000001"])
)
def test_exactly_the_share_is_enough_and_one_cent_more_is_not(before: int, share: str) -> None:
    limit = int((before * (1 - Decimal(share))).to_integral_value(ROUND_FLOOR))
    assert fell(limit, before, float(share)) == (limit < before)
    assert not fell(limit + 1, before, float(share))


def test_900_of_1000_is_a_tenth_less_for_every_multiple() -> None:
    for times in range(1, 3000):
        assert fell(9 * times, 10 * times, 0.1)
        assert not fell(9 * times + 1, 10 * times, 0.1)


def test_nothing_is_cheaper_than_for_free() -> None:
    assert not fell(0, 0, 0.1)
    assert fell(0, 1, 0.1)


@given(_CHANGES, st.integers(0, 60))
def test_the_price_in_force_is_that_of_the_last_change_before_or_the_first_known(
    changes: dict[int, int], at: int
) -> None:
    prices, expected = sorted(changes.items()), changes[min(changes)]
    for ts in range(at + 1):
        expected = changes.get(ts, expected)
    assert in_force(prices, at) == (expected if at >= min(changes) else changes[min(changes)])
    assert in_force((), at) is None


@given(_CHANGES, st.integers(0, 60), st.integers(1, 12))
def test_a_price_rose_if_it_went_up_to_above_the_limit_after_that_time(
    changes: dict[int, int], after: int, before: int
) -> None:
    prices = sorted(changes.items())
    expected = False
    for place in range(1, len(prices)):
        went_up = prices[place][1] > prices[place - 1][1]
        expected = expected or (prices[place][0] > after and went_up and 10 * prices[place][1] > 7 * before)
    assert rose(prices, after, before, 0.3) == (expected if before else False)
