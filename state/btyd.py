"""What do the models of purchase times say of one buyer, in closed form?

"Buy till you die": who is alive buys at a rate of her own, and may be lost after each purchase (BG/NBD: Fader, Hardie
and Lee 2005), after the first one too (MBG/NBD: Batislam et al. 2007). `x` counts the repeat purchase days, `last` and
`now` are weeks since the first purchase (science, section 2). In each formula the two differ by one: `_stays`.
"""

from __future__ import annotations

from math import exp, expm1, lgamma, log, log1p
from typing import Final

from msgspec import Struct

_FAR: Final = 700.0  # exp() of more is no double; the odds of being alive are nil long before
_SINGULAR: Final = 1e-6  # the formula of expected orders has a hole at a = 1, its neighbours have not
_TERMS: Final = 200_000  # of the series; a horizon of a thousand times alpha + now needs a fifth of it


class Fit(Struct, frozen=True):
    """`model`: mbg_nbd or bg_nbd. Rates vary as Gamma(r, alpha), chances of being lost as Beta(a, b); weeks."""

    model: str
    r: float
    alpha: float
    a: float
    b: float


def p_alive(fit: Fit, x: int, last: float, now: float) -> float:
    """That the user will ever buy again. By BG/NBD nobody is lost before a second purchase."""
    if _never_asked(fit, x):
        return 1.0
    silence = (fit.r + x) * (log(fit.alpha + now) - log(fit.alpha + last))
    odds = log(fit.a) - log(_stays(fit, x)) + silence
    return 0.0 if odds > _FAR else 1 / (1 + exp(odds))


def p_no_purchase(fit: Fit, x: int, last: float, now: float, horizon: float) -> float:
    """Within `horizon` weeks from `now`. Between purchases it only rises."""
    none_if_alive = exp((fit.r + x) * (log(fit.alpha + now) - log(fit.alpha + now + horizon)))
    return 1 - p_alive(fit, x, last, now) * (1 - none_if_alive)


def expected_orders(fit: Fit, x: int, last: float, now: float, horizon: float) -> float:
    """Purchase days within `horizon` weeks from `now`; with 0, 0, 0 those of a new buyer after her first.

    Equation (10) of the paper after Euler's transformation, which doubles bear for any x.
    """
    if horizon <= 0:
        return 0.0
    a = fit.a if abs(fit.a - 1) > _SINGULAR else 1 + _SINGULAR
    c = a + _stays(fit, x)
    if abs(c) < _SINGULAR:
        c = _SINGULAR
    z = horizon / (fit.alpha + now + horizon)
    shrinking = exp((a - 1) * log1p(-z)) * _hyp2f1(c - fit.r - x, a - 1, c, z)
    return c / (a - 1) * (1 - shrinking) * p_alive(fit, x, last, now)


def p_count(fit: Fit, count: int, weeks: float) -> float:
    """That a new buyer has so many repeat purchase days in her first weeks."""
    stays = fit.b + count + (fit.model == "mbg_nbd")
    alive = _lbeta(fit.a, stays) - _lbeta(fit.a, fit.b)
    found = exp(alive) * _nbd(fit, count, weeks)
    if not _never_asked(fit, count):
        lost = _lbeta(fit.a + 1, stays - 1) - _lbeta(fit.a, fit.b)
        found += exp(lost) * max(0.0, 1 - sum(_nbd(fit, fewer, weeks) for fewer in range(count)))
    return found


def alive_until(fit: Fit, x: int, last: float, probability: float) -> float | None:
    """The time, weeks since the first purchase, at which p_alive has fallen to `probability`; None: never.

    It may be before `last`: then it was less at the last purchase already.
    """
    if _never_asked(fit, x):
        return None
    odds = log(1 - probability) - log(probability) + log(_stays(fit, x)) - log(fit.a)
    power = odds / (fit.r + x)
    return None if power > _FAR else (fit.alpha + last) * exp(power) - fit.alpha


def wait_for_next(fit: Fit, x: int, last: float, now: float) -> float | None:
    """Weeks from `now` until a further order is as probable as none; None: none is more probable, for ever."""
    alive = p_alive(fit, x, last, now)
    if alive <= 0.5:
        return None
    power = -log1p(-0.5 / alive) / (fit.r + x)
    return None if power > _FAR else (fit.alpha + now) * expm1(power)


def _stays(fit: Fit, x: int) -> float:
    """The weight of having stayed each time that one might have been lost."""
    return fit.b + x - (fit.model == "bg_nbd")


def _never_asked(fit: Fit, x: int) -> bool:
    """Has she had no occasion to be lost?"""
    return x == 0 and fit.model == "bg_nbd"


def _nbd(fit: Fit, count: int, weeks: float) -> float:
    """So many purchases of somebody who is never lost."""
    ways = lgamma(fit.r + count) - lgamma(fit.r) - lgamma(count + 1)
    scale = log(fit.alpha + weeks)
    bought = count * (log(weeks) - scale) if count else 0.0
    return exp(ways + fit.r * (log(fit.alpha) - scale) + bought)


def _lbeta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _hyp2f1(a: float, b: float, c: float, z: float) -> float:
    """Gauss's series, for 0 <= z < 1."""
    term = total = 1.0
    for n in range(_TERMS):
        term *= (a + n) * (b + n) / ((c + n) * (n + 1)) * z
        total += term
        if abs(term) <= 1e-17 * abs(total):
            break
    return total
