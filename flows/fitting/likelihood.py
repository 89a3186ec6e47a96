"""Which parameters make a history most likely? Maximum likelihood of the models of state/btyd.py and state/value.py.

Offline, with scipy (science, section 2). Parameters are positive, so their logarithms are searched.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from msgspec import Struct
from scipy import optimize, special

from flows.fitting.history import CannotFit, History
from state.btyd import Fit
from state.predict import weeks_of
from state.value import SpendParams

_BOUNDS: Final = (-12.0, 12.0)  # of a parameter's logarithm: nothing that was ever published is outside
_AT_BOUND: Final = 0.01
_LEAST_DROPOUT: Final = 1e-3  # as config/checks.py

Column = Any  # a numpy array


class Purchases(Struct, frozen=True):
    """Of each buyer: repeat purchase days, the last one and now in weeks since the first, mean repeat spend or nan."""

    x: Column
    last: Column
    now: Column
    mean: Column


class Found(Struct, frozen=True):
    values: tuple[float, ...]
    log_likelihood: float


def purchases_at(history: History, moment: int) -> Purchases:
    """Of all who had bought by then."""
    rows = []
    for buyer in history.buyers:
        known = buyer.at(moment)
        if known is not None:
            rhythm, mean = known
            rows.append((rhythm.x, *weeks_of(rhythm, moment), np.nan if mean is None else mean))
    table = np.array(rows, dtype=float).reshape(-1, 4)
    return Purchases(*(table[:, column] for column in range(4)))


def fit_purchases(model: str, known: Purchases) -> tuple[Fit, float]:
    """The parameters and the log-likelihood; raise CannotFit when they are none to predict by."""
    found = _maximise(
        lambda v: _btyd(model, known, *v).sum(), (0.5, max(known.now.mean() / 8, 1.0), 1.0, 2.0)
    )
    fit = Fit(model, *found.values)
    span = known.now.max()
    if fit.a < _LEAST_DROPOUT:
        raise CannotFit(
            f"{model}: nobody seems to stop buying (a is {fit.a:.2g}), so nobody's silence means anything"
        )
    names = [n for n, v in zip(("r", "alpha", "a", "b"), found.values, strict=True) if _at_bound(v)]
    if names:
        raise CannotFit(
            f"{model}: {' and '.join(names)} ran to the end of the search; the model does not suit the data"
        )
    if not span / 1e4 < fit.alpha < span * 1e2:
        raise CannotFit(
            f"{model}: alpha, {fit.alpha:.3g} weeks, has nothing to do with a history of {span:.0f} weeks"
        )
    plain = _maximise(lambda v: _nbd(known, *v).sum(), (0.5, max(known.now.mean() / 8, 1.0)))
    if found.log_likelihood < plain.log_likelihood + 2:  # two parameters more: Akaike
        raise CannotFit(
            f"{model}: no better than buyers who are never lost (log-likelihood {found.log_likelihood:.1f}, "
            f"without dropout {plain.log_likelihood:.1f})"
        )
    return fit, found.log_likelihood


def fit_roughly(model: str, known: Purchases, near: Fit) -> Fit:
    """To four digits and unchecked, beginning near a fit: for the moments from which the churn score is learned."""
    logs = np.log([near.r, near.alpha, near.a, near.b])
    found = optimize.minimize(
        lambda at: -_btyd(model, known, *np.exp(at)).sum(), logs, method="L-BFGS-B", bounds=[_BOUNDS] * 4
    )
    return Fit(model, *(float(value) for value in np.exp(found.x)))


def fit_spend(known: Purchases, most_correlated: float) -> tuple[SpendParams, float, float]:
    """Parameters, log-likelihood, and the correlation of number and mean; raise CannotFit."""
    chosen = (known.x > 0) & (known.mean > 0)
    x, mean = known.x[chosen], known.mean[chosen]
    if len(x) < 3 or x.std() == 0 or mean.std() == 0:
        raise CannotFit("spend: all buyers are alike, there is nothing to learn")
    correlation = float(np.corrcoef(x, mean)[0, 1])
    if abs(correlation) > most_correlated:
        raise CannotFit(
            f"spend: who buys often spends otherwise (correlation {correlation:.2f}, at most {most_correlated}), "
            "which Gamma-Gamma rules out"
        )
    scale = float(mean.mean())
    found = _maximise(lambda v: _gamma_gamma(x, mean / scale, *v).sum(), (2.0, 3.0, 1.0))
    p, q, gamma = found.values
    if q <= 1 or any(map(_at_bound, found.values)):
        raise CannotFit(f"spend: the mean over all buyers has no end (q is {q:.3g}) or a parameter ran away")
    # The density of money in its own unit, not in the mean's.
    return (
        SpendParams(p=p, q=q, gamma=gamma * scale),
        found.log_likelihood - len(x) * np.log(scale),
        correlation,
    )


def _maximise(log_likelihood: Any, start: tuple[float, ...]) -> Found:
    """By quasi-Newton steps, then the simplex for the last digits; the same start gives the same end."""

    def cost(logs: Column) -> float:
        value = -float(log_likelihood(np.exp(logs)))
        return value if np.isfinite(value) else 1e300

    bounds = [_BOUNDS] * len(start)
    rough = optimize.minimize(cost, np.log(start), method="L-BFGS-B", bounds=bounds)
    options = {"xatol": 1e-9, "fatol": 1e-9, "maxiter": 5000, "maxfev": 10000}
    fine = optimize.minimize(cost, rough.x, method="Nelder-Mead", bounds=bounds, options=options)
    found = Found(tuple(float(v) for v in np.exp(fine.x)), -float(fine.fun))
    inside = not any(map(_at_bound, found.values))
    if inside and not fine.success:
        raise CannotFit("the search for the parameters has not come to an end")
    return found


def _at_bound(value: float) -> bool:
    return not _BOUNDS[0] + _AT_BOUND < np.log(value) < _BOUNDS[1] - _AT_BOUND


def _btyd(model: str, known: Purchases, r: float, alpha: float, a: float, b: float) -> Column:
    """Log-likelihood of each buyer; MBG/NBD could have lost her once more than BG/NBD."""
    x, stayed = known.x, known.x + (model == "mbg_nbd")
    buying = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) - special.betaln(a, b)
    alive = special.betaln(a, b + stayed) - (r + x) * np.log(alpha + known.now)
    asked = np.maximum(stayed, 1)
    lost = special.betaln(a + 1, b + asked - 1) - (r + x) * np.log(alpha + known.last)
    return buying + np.logaddexp(alive, np.where(stayed > 0, lost, -np.inf))


def _nbd(known: Purchases, r: float, alpha: float) -> Column:
    buying = special.gammaln(r + known.x) - special.gammaln(r) + r * np.log(alpha)
    return buying - (r + known.x) * np.log(alpha + known.now)


def _gamma_gamma(x: Column, mean: Column, p: float, q: float, gamma: float) -> Column:
    shape = special.gammaln(p * x + q) - special.gammaln(p * x) - special.gammaln(q)
    spent = (p * x - 1) * np.log(mean) + p * x * np.log(x)
    return shape + q * np.log(gamma) + spent - (p * x + q) * np.log(gamma + x * mean)
