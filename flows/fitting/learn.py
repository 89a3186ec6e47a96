"""How has this shop's history answered before? The weights of the churn score, and how good a score is.

At each of some earlier moments the model is fitted to what was known then, and what followed is the answer; a logistic
regression learns from all of them together (docs/decisions/0031-a-churn-score-learned-from-the-past.md).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from scipy import optimize, special, stats

from config.settings import Fitting
from flows.fitting.history import CannotFit, History, share_of
from flows.fitting.likelihood import Column, fit_roughly, purchases_at
from state.btyd import Fit
from state.calendar import WEEK, Duration
from state.churn import ChurnScore, features
from state.predict import Rhythm, silence_at, weeks_of

_RIDGE: Final = (
    1e-3  # on weights of features of unit variance: keeps them finite where a history answers all the same
)
_LIMITS: Final = (
    (None, None),
    (0, None),
    (0, None),
    (None, None),
    (None, None),
)  # state/churn.py: it only rises
_BINS: Final = 10


class NoScore(CannotFit):
    """The history does not answer, or answers no better than the model alone: then the model is used without."""


class Judged(Struct, frozen=True):
    """How a score did on what came later. `deciles`: of equal count, (mean of the score, share without purchase)."""

    buyers: int
    silent: float
    auc: float
    brier: float
    auc_repeaters: float
    brier_repeaters: float
    brier_of_base_rate: float
    auc_of_recency: float
    calibration_error: float
    deciles: list[tuple[float, float]]


class Answers(Struct, frozen=True):
    """Who had bought by a moment, and whether each was silent (1) or not (0) for a time after it."""

    known: list[Rhythm]
    silent: Column


def answers(history: History, moment: int, until: int) -> Answers:
    known, silent = [], []
    for buyer in history.buyers:
        found = buyer.at(moment)
        if found is not None:
            known.append(found[0])
            silent.append(not buyer.bought(moment, until))
    return Answers(known, np.array(silent, dtype=float))


def learn(history: History, fit: Fit, horizon: int, chosen: Fitting) -> ChurnScore:
    """The score for `horizon` ms. If that is longer than the history can answer, the model says how many are silent."""
    typical_gap = _typical_gap(history)
    seen = 0
    rows: list[Column] = []
    told: list[Column] = []
    for moment in _landmarks(history, horizon, chosen):
        window = min(horizon, history.ends - moment)
        found = answers(history, moment, moment + window)
        if window <= 0 or len(found.known) < chosen.least_buyers or found.silent.min() == found.silent.max():
            continue
        near = fit_roughly(fit.model, purchases_at(history, moment), fit)
        rows.append(_features(near, typical_gap, found.known, moment, window))
        told.append(found.silent)
        seen = max(seen, window)
    if not rows:
        raise CannotFit(
            "churn: the history is too short, or answers all the same, at the moments to learn from"
        )
    weights = _logistic(np.vstack(rows), np.concatenate(told))
    now = answers(history, history.ends, history.ends).known
    if seen < horizon:
        weights[0] += _shift(fit, _features(fit, typical_gap, now, history.ends, horizon), weights)
    intercept, model, recency, purchases, gap = (float(weight) for weight in weights)
    return ChurnScore(
        horizon=Duration(horizon),
        typical_gap=typical_gap,
        intercept=intercept,
        model=model,
        recency=recency,
        purchases=purchases,
        gap=gap,
    )


def judge(fit: Fit, score: ChurnScore | None, history: History, moment: int, until: int) -> Judged:
    """The score, or the model alone, of `moment` against what followed until then; the past must hold no more."""
    found = answers(history, moment, until)
    told = np.array([silence_at(fit, score, each, moment, until - moment) for each in found.known])
    recency = np.array([moment - each.last_at for each in found.known])
    repeats = np.array([each.x > 0 for each in found.known])
    silent = found.silent
    bins = np.array_split(np.argsort(told, kind="stable"), _BINS)
    deciles = [(float(told[chosen].mean()), float(silent[chosen].mean())) for chosen in bins if len(chosen)]
    errors = (told - silent) ** 2
    gaps = [abs(said - came) * len(chosen) for (said, came), chosen in zip(deciles, bins, strict=False)]
    return Judged(
        buyers=len(silent),
        silent=float(silent.mean()),
        auc=_auc(told, silent),
        brier=float(errors.mean()),
        auc_repeaters=_auc(told[repeats], silent[repeats]),
        brier_repeaters=float(errors[repeats].mean()) if repeats.any() else 0.5,
        brier_of_base_rate=float(silent.mean() * (1 - silent.mean())),
        auc_of_recency=_auc(recency, silent),
        calibration_error=float(sum(gaps) / len(silent)),
        deciles=deciles,
    )


def _landmarks(history: History, horizon: int, chosen: Fitting) -> list[int]:
    """Even steps; up to where the horizon just fits in, or if it is long, as late as there is still an answer."""
    length = history.ends - history.begins
    last = max(chosen.last_landmark, 1 - horizon / length) if length else chosen.last_landmark
    shares = np.linspace(chosen.first_landmark, last, chosen.landmarks)
    return sorted({share_of(history, float(share)) for share in shares})


def _typical_gap(history: History) -> float:
    """Median over repeat buyers of the mean gap between purchase days, weeks."""
    known = answers(history, history.ends, history.ends).known
    gaps = [(each.last_at - each.first_at) / WEEK / each.x for each in known if each.x > 0]
    if not gaps:
        raise NoScore("churn: nobody has bought twice")
    return max(float(np.median(gaps)), 1 / 7)


def _features(fit: Fit, typical_gap: float, known: list[Rhythm], moment: int, window: int) -> Column:
    return np.array(
        [features(fit, typical_gap, each.x, *weeks_of(each, moment), window / WEEK) for each in known]
    )


def _logistic(rows: Column, silent: Column) -> Column:
    scale = np.maximum(rows.std(axis=0), 1e-9)
    scaled = (rows - rows.mean(axis=0)) / scale

    def cost(weights: Column) -> tuple[float, Column]:
        logit = weights[0] + scaled @ weights[1:]
        missed = special.expit(logit) - silent
        value = (np.logaddexp(0, logit) - silent * logit).mean() + _RIDGE * (weights[1:] ** 2).sum()
        slope = np.concatenate(([missed.mean()], scaled.T @ missed / len(silent) + 2 * _RIDGE * weights[1:]))
        return float(value), slope

    found = optimize.minimize(cost, np.zeros(5), jac=True, method="L-BFGS-B", bounds=_LIMITS)
    weights = found.x[1:] / scale
    return np.concatenate(([found.x[0] - weights @ rows.mean(axis=0)], weights))


def _shift(fit: Fit, rows: Column, weights: Column) -> float:
    """What makes the mean of the score that of the model, whose logit is the first feature."""
    logit, wanted = weights[0] + rows @ weights[1:], special.expit(rows[:, 0]).mean()
    return float(optimize.brentq(lambda shift: special.expit(logit + shift).mean() - wanted, -50, 50))


def _auc(told: Column, silent: Column) -> float:
    """That of a silent and a buying one the silent has the higher score; a half where there are not both."""
    ones = silent.sum()
    others = len(silent) - ones
    if not ones or not others:
        return 0.5
    return float((stats.rankdata(told)[silent == 1].sum() - ones * (ones + 1) / 2) / (ones * others))
