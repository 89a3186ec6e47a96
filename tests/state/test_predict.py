"""Is the crossing found to the millisecond, and only with whole parameters?"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.btyd import Fit
from state.calendar import DAY, WEEK, Duration
from state.churn import ChurnScore
from state.predict import Rhythm, crosses_at, fit_of, silence_at
from state.values import LAST_TS
from tests.triggers.shop import PREDICT

HORIZON = 8 * WEEK


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


_WEIGHTS = st.floats(-3, 3)
_SCORES = st.builds(
    ChurnScore,
    horizon=st.just(Duration(HORIZON)),
    typical_gap=st.floats(0.1, 50),
    intercept=_WEIGHTS,
    model=st.floats(0, 3),
    recency=st.floats(0, 3),
    purchases=_WEIGHTS,
    gap=_WEIGHTS,
)
_MAYBE_SCORES = st.none() | _SCORES


@given(_FITS, _RHYTHMS, st.floats(0.05, 0.95), _MAYBE_SCORES)
def test_the_crossing_is_the_first_millisecond(
    fit: Fit, known: Rhythm, probability: float, score: ChurnScore | None
) -> None:
    at = crosses_at(fit, known, probability, HORIZON, score)
    if at is not None:
        assert silence_at(fit, score, known, at, HORIZON) >= probability
        assert silence_at(fit, score, known, at - 1, HORIZON) < probability
        assert at > known.last_at
    elif silence_at(fit, score, known, known.last_at, HORIZON) < probability:
        assert score is not None  # a score may never come so far
        assert silence_at(fit, score, known, LAST_TS, HORIZON) < probability


@given(_FITS, _RHYTHMS, st.lists(st.integers(0, 5000 * DAY), min_size=2), _MAYBE_SCORES)
def test_between_purchases_no_purchase_only_becomes_more_probable(
    fit: Fit, known: Rhythm, later: list[int], score: ChurnScore | None
) -> None:
    told = [silence_at(fit, score, known, known.last_at + each, HORIZON) for each in sorted(later)]
    assert all(late >= early - 1e-12 for early, late in pairwise(told))
    assert all(0 <= each <= 1 for each in told)


def test_without_all_parameters_there_is_no_fit() -> None:
    whole = replace(PREDICT, model="mbg_nbd", r=0.5, alpha=6.0, a=0.9, b=1.6)
    assert fit_of(whole) == Fit("mbg_nbd", 0.5, 6.0, 0.9, 1.6)
    assert fit_of(replace(PREDICT, model="none", r=0.5, alpha=6.0, a=0.9, b=1.6)) is None
    assert fit_of(replace(PREDICT, model="mbg_nbd", r=0.5, alpha=None, a=0.9, b=1.6)) is None


def test_a_score_of_another_horizon_is_not_asked() -> None:
    fit, known = Fit("mbg_nbd", 0.5, 6.0, 0.9, 1.6), Rhythm(2, 0, 10 * WEEK)
    score = ChurnScore(
        horizon=Duration(4 * WEEK), typical_gap=8, intercept=9, model=1, recency=1, purchases=0, gap=0
    )
    now = 20 * WEEK
    assert silence_at(fit, score, known, now, HORIZON) == silence_at(fit, None, known, now, HORIZON)
    assert silence_at(fit, score, known, now, 4 * WEEK) > silence_at(fit, None, known, now, 4 * WEEK)
