"""Do the closed forms say what their authors published?"""

from __future__ import annotations

import csv
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.btyd import Fit, alive_until, expected_orders, p_alive, p_count, p_no_purchase, wait_for_next
from state.value import SpendParams, Worth, expected_spend, lifetime_value
from tests.real_data import found

# As fitted to CDNOW (science, section 2), with the digits that six decimals of an expectation of twenty orders ask for.
BG = Fit("bg_nbd", 0.242592917, 4.413531868, 0.792885816, 2.425752491)
MBG = Fit("mbg_nbd", 0.524838042, 6.182992341, 0.891356153, 1.613999078)
PAPER = Fit("bg_nbd", 0.243, 4.414, 0.793, 2.426)
SPEND = SpendParams(p=6.248802, q=3.744588, gamma=15.447748)


def test_bg_nbd_as_published() -> None:
    assert p_alive(PAPER, 2, 30.43, 38.86) == pytest.approx(0.726579, abs=1e-6)
    assert p_alive(PAPER, 0, 0, 38.86) == 1
    assert expected_orders(PAPER, 2, 30.43, 38.86, 39) == pytest.approx(1.226028, abs=1e-6)


@pytest.mark.parametrize(
    ("weeks", "expected"),
    [(0.1429, 0.0078), (1, 0.0532), (3, 0.1506), (31.8571, 1.0405), (32, 1.0437), (78, 1.8576)],
)
def test_orders_of_a_new_buyer_as_published(weeks: float, expected: float) -> None:
    """The workbook's own parameters have more digits than are printed: the last row is 4e-4 from ours."""
    assert expected_orders(BG, 0, 0, 0, weeks) == pytest.approx(expected, abs=5e-4)


def test_the_distribution_of_orders_as_published() -> None:
    assert p_count(PAPER, 0, 39) == pytest.approx(0.5737864, abs=1e-7)
    assert p_count(PAPER, 10, 2) == pytest.approx(1.07869e-07, rel=1e-5)
    told = [p_count(PAPER, count, 30) for count in range(11, 21)]
    assert told == pytest.approx(
        [
            0.0019995214,
            0.0015170236,
            0.0011633150,
            0.0009003148,
            0.0007023638,
            0.0005517902,
            0.0004361913,
            0.0003467171,
            0.0002769613,
            0.0002222260,
        ],
        abs=1e-10,
    )


@pytest.mark.parametrize("fit", [BG, MBG])
def test_the_distribution_adds_up_to_one_and_to_the_expectation(fit: Fit) -> None:
    told = [p_count(fit, count, 39) for count in range(400)]
    assert sum(told) == pytest.approx(1, abs=1e-9)
    mean = sum(count * p for count, p in enumerate(told))
    assert mean == pytest.approx(expected_orders(fit, 0, 0, 0, 39), rel=1e-9)


def test_where_a_and_b_are_small_libraries_said_nan() -> None:
    assert expected_orders(Fit("bg_nbd", 0.11, 2.24, 0.31, 0.5), 0, 0, 1, 30) == pytest.approx(
        0.5645886155, abs=1e-10
    )


def test_the_hole_at_a_of_one_is_closed() -> None:
    at, beside = (expected_orders(Fit("bg_nbd", 0.5, 5, a, 2), 3, 20, 30, 26) for a in (1.0, 1.0001))
    assert at == pytest.approx(beside, rel=1e-3)
    assert isfinite(expected_orders(Fit("bg_nbd", 0.5, 5, 0.4, 0.6), 0, 0, 3, 26))


def test_the_reference_of_cdnow_is_met() -> None:
    path = found.real_data("cdnow_reference.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    for row in rows:
        x, last, now, mean = int(row["x"]), float(row["t_x"]), float(row["T"]), float(row["zbar"])
        told = {
            "bgnbd_p_alive": p_alive(BG, x, last, now),
            "mbgnbd_p_alive": p_alive(MBG, x, last, now),
            "bgnbd_e_purchases_13w": expected_orders(BG, x, last, now, 13),
            "bgnbd_e_purchases_39w": expected_orders(BG, x, last, now, 39),
            "mbgnbd_e_purchases_39w": expected_orders(MBG, x, last, now, 39),
            "bgnbd_p_any_purchase_39w": 1 - p_no_purchase(BG, x, last, now, 39),
            "gammagamma_e_spend": expected_spend(SPEND, x, mean),
        }
        assert told == {name: pytest.approx(float(row[name]), rel=1e-6, abs=1e-6) for name in told}


@pytest.mark.parametrize(
    ("fit", "x", "last", "at"),
    [(BG, 2, 30.43, 62.500884), (MBG, 0, 0, 12.981492), (MBG, 2, 30.43, 57.557839)],
)
def test_the_moment_at_which_being_alive_is_a_coin_s_toss(fit: Fit, x: int, last: float, at: float) -> None:
    found_at = alive_until(fit, x, last, 0.5)
    assert found_at is not None
    assert found_at == pytest.approx(at, abs=1e-5)
    assert p_alive(fit, x, last, found_at) == pytest.approx(0.5, abs=1e-9)


def test_who_is_never_asked_is_never_lost() -> None:
    assert alive_until(BG, 0, 0, 0.5) is None


def test_the_spend_of_the_first_ten_buyers_as_published() -> None:
    """With the digits of the fit: the two decimals printed beside it give 35.22 for who has not come back."""
    buyers = [
        (2, 22.35),
        (1, 11.77),
        (0, 0),
        (0, 0),
        (0, 0),
        (7, 73.74),
        (1, 11.77),
        (0, 0),
        (2, 25.55),
        (0, 0),
    ]
    told = [expected_spend(SPEND, x, mean) for x, mean in buyers]
    assert told == pytest.approx(
        [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17], abs=0.01
    )


def test_the_lifetime_value_is_the_sum_of_discounted_steps() -> None:
    whole = lifetime_value(BG, 2, 30.43, 38.86, 20, Worth(4, 13, 0, 1))
    assert whole == pytest.approx(20 * expected_orders(BG, 2, 30.43, 38.86, 52))
    steps = [expected_orders(BG, 2, 30.43, 38.86, weeks) for weeks in (0, 4, 8)]
    told = lifetime_value(BG, 2, 30.43, 38.86, 20, Worth(4, 2, 0.1, 0.3))
    assert told == pytest.approx(6 * ((steps[1] - steps[0]) / 1.1 + (steps[2] - steps[1]) / 1.21))


_FITS = st.builds(
    Fit,
    st.sampled_from(("mbg_nbd", "bg_nbd")),
    st.floats(0.05, 5),
    st.floats(0.1, 50),
    st.floats(0.001, 5),
    st.floats(0.05, 10),
)
_KNOWN = st.tuples(st.integers(0, 2000), st.floats(0, 400), st.floats(0, 400)).map(
    lambda known: (known[0], known[1] if known[0] else 0.0, (known[1] if known[0] else 0.0) + known[2])
)


@given(_FITS, _KNOWN, st.floats(0.01, 104))
def test_expected_orders_are_bounded_by_those_of_somebody_never_lost(
    fit: Fit, known: tuple[int, float, float], horizon: float
) -> None:
    x, last, now = known
    told = expected_orders(fit, x, last, now, horizon)
    forever = (fit.r + x) / (fit.alpha + now) * horizon
    assert -1e-9 <= told <= forever * (1 + 1e-6) + 1e-9
    assert told + 1e-9 >= (1 - p_no_purchase(fit, x, last, now, horizon)) * (1 - 1e-5)


@given(_FITS, _KNOWN)
def test_by_the_next_order_one_is_as_probable_as_none(fit: Fit, known: tuple[int, float, float]) -> None:
    wait = wait_for_next(fit, *known)
    if wait is None:
        assert p_no_purchase(fit, *known, 1e9) >= 0.5 - 1e-9 or p_alive(fit, *known) > 0.5
    elif wait < 1e6:
        assert p_no_purchase(fit, *known, wait) == pytest.approx(0.5, abs=1e-6)


def test_many_purchases_and_a_long_silence_overflow_nothing() -> None:
    assert p_alive(MBG, 100_000, 1, 1000) == 0
    assert p_no_purchase(MBG, 100_000, 1, 1000, 8) == 1
    assert expected_orders(MBG, 100_000, 1, 1000, 8) == 0
