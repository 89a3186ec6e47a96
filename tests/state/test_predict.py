"""Do the models say what their authors published?"""

from __future__ import annotations

import csv
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.calendar import DAY, WEEK
from state.predict import (
    Fit,
    PredictParams,
    Rhythm,
    crosses_at,
    fit_of,
    no_purchase_at,
    p_alive,
    p_no_purchase,
)
from tests.real_data import found

BG = Fit("bg_nbd", 0.242593, 4.413532, 0.792886, 2.425753)
MBG = Fit("mbg_nbd", 0.524838, 6.182992, 0.891356, 1.613999)
HORIZON = 8 * WEEK


def test_bg_nbd_as_published() -> None:
    published = Fit("bg_nbd", 0.243, 4.414, 0.793, 2.426)
    assert p_alive(published, 2, 30.43, 38.86) == pytest.approx(0.726579, abs=1e-6)
    assert p_alive(published, 0, 0, 38.86) == 1
    assert p_alive(BG, 2, 30.43, 62.500884) == pytest.approx(0.5, abs=1e-7)


def test_mbg_nbd_as_published() -> None:
    assert p_alive(MBG, 0, 0, 12.981492) == pytest.approx(0.5, abs=1e-7)
    assert p_alive(MBG, 2, 30.43, 57.557839) == pytest.approx(0.5, abs=1e-7)


def test_the_reference_of_cdnow_is_met_to_its_last_digit() -> None:
    path = found.real_data("cdnow_reference.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    for row in rows:
        x, last, now = int(row["x"]), float(row["t_x"]), float(row["T"])
        assert p_alive(BG, x, last, now) == pytest.approx(float(row["bgnbd_p_alive"]), abs=1.1e-6)
        assert p_alive(MBG, x, last, now) == pytest.approx(float(row["mbgnbd_p_alive"]), abs=1.1e-6)
        buys = 1 - p_no_purchase(BG, x, last, now, 39)
        assert buys == pytest.approx(float(row["bgnbd_p_any_purchase_39w"]), abs=1.1e-6)


_FITS = st.builds(
    Fit,
    st.sampled_from(("mbg_nbd", "bg_nbd")),
    st.floats(0.05, 5),
    st.floats(0.1, 50),
    st.floats(0.001, 5),
    st.floats(0.05, 10),
)
_RHYTHMS = st.tuples(st.integers(0, 200), st.integers(1, 3000 * DAY)).map(
    lambda known: Rhythm(known[0], 1_700_000_000_000, 1_700_000_000_000 + (known[1] if known[0] else 0))
)


@given(_FITS, _RHYTHMS, st.floats(0.05, 0.95))
def test_the_crossing_is_the_first_millisecond(fit: Fit, known: Rhythm, probability: float) -> None:
    at = crosses_at(fit, known, probability, HORIZON)
    if at is None:
        assert no_purchase_at(fit, known, known.last_at, HORIZON) >= probability
    else:
        assert no_purchase_at(fit, known, at, HORIZON) >= probability
        assert no_purchase_at(fit, known, at - 1, HORIZON) < probability
        assert at > known.last_at


@given(_FITS, _RHYTHMS, st.lists(st.integers(0, 5000 * DAY), min_size=2))
def test_between_purchases_no_purchase_only_becomes_more_probable(
    fit: Fit, known: Rhythm, later: list[int]
) -> None:
    told = [no_purchase_at(fit, known, known.last_at + each, HORIZON) for each in sorted(later)]
    assert all(late >= early - 1e-12 for early, late in pairwise(told))
    assert all(0 <= each <= 1 for each in told)


def test_many_purchases_and_a_long_silence_overflow_nothing() -> None:
    assert p_alive(MBG, 100_000, 1, 1000) == 0
    assert p_no_purchase(MBG, 100_000, 1, 1000, 8) == 1


def test_without_all_parameters_there_is_no_fit() -> None:
    whole = PredictParams(model="mbg_nbd", r=0.5, alpha=6.0, a=0.9, b=1.6)
    assert fit_of(whole) == Fit("mbg_nbd", 0.5, 6.0, 0.9, 1.6)
    assert fit_of(PredictParams(model="none", r=0.5, alpha=6.0, a=0.9, b=1.6)) is None
    assert fit_of(PredictParams(model="mbg_nbd", r=0.5, alpha=None, a=0.9, b=1.6)) is None
