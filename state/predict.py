"""Will this user buy again, and when does that become unlikely?

Closed forms of two models of purchase times (science: MBG/NBD and BG/NBD; Fader, Hardie and Lee 2005, Batislam et al.
2007): who is alive buys at a rate of her own, and may be lost after each purchase. `x` counts the repeat purchase days,
`last` and `now` are weeks since the first purchase. It is the probability of no purchase that warns: 1 - P(alive)
says nothing of who has bought once.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, log
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from state.calendar import WEEK
from state.values import LAST_TS

if TYPE_CHECKING:
    from state.user import User

_FAR = 700.0  # exp() of more is no double; the odds of being alive are nil long before


class PredictParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`none`: nothing is predicted. The others need what was fitted to the shop's own history, times in weeks."""

    model: Literal["none", "mbg_nbd", "bg_nbd"]
    r: float | None
    alpha: float | None
    a: float | None
    b: float | None


class Fit(Struct, frozen=True):
    model: str
    r: float
    alpha: float
    a: float
    b: float


class Rhythm(Struct, frozen=True):
    """`x` repeat purchase days, first and last purchase, epoch ms."""

    x: int
    first_at: int
    last_at: int


def fit_of(params: PredictParams) -> Fit | None:
    if params.model == "none" or None in (params.r, params.alpha, params.a, params.b):
        return None
    return Fit(params.model, params.r or 0.0, params.alpha or 0.0, params.a or 0.0, params.b or 0.0)


def rhythm_of(user: User) -> Rhythm | None:
    """What the models know of a user; orders of one day are one purchase."""
    rfm = user.own_rfm
    if rfm is None or rfm.orders <= 0 or rfm.first_order_at is None or rfm.last_order_at is None:
        return None
    x = max(rfm.purchase_days - 1, 0)
    return Rhythm(x, rfm.first_order_at, rfm.last_order_at if x else rfm.first_order_at)


def p_alive(fit: Fit, x: int, last: float, now: float) -> float:
    """That the user will ever buy again. By BG/NBD nobody is lost before a second purchase."""
    chances = fit.b + x
    if fit.model == "bg_nbd":
        if x == 0:
            return 1.0
        chances -= 1
    silence = (fit.r + x) * (log(fit.alpha + now) - log(fit.alpha + last))
    odds = log(fit.a) - log(chances) + silence
    return 0.0 if odds > _FAR else 1 / (1 + exp(odds))


def p_no_purchase(fit: Fit, x: int, last: float, now: float, horizon: float) -> float:
    """Within `horizon` weeks from `now`. Between purchases it only rises."""
    none_if_alive = exp((fit.r + x) * (log(fit.alpha + now) - log(fit.alpha + now + horizon)))
    return 1 - p_alive(fit, x, last, now) * (1 - none_if_alive)


def alive_at(fit: Fit, known: Rhythm, now: int) -> float:
    """p_alive at a moment, epoch ms."""
    return p_alive(fit, known.x, *_weeks(known, now))


def no_purchase_at(fit: Fit, known: Rhythm, now: int, horizon: int) -> float:
    """p_no_purchase at a moment, epoch ms, for a horizon in ms."""
    return p_no_purchase(fit, known.x, *_weeks(known, now), horizon / WEEK)


def _weeks(known: Rhythm, now: int) -> tuple[float, float]:
    return (known.last_at - known.first_at) / WEEK, (max(now, known.last_at) - known.first_at) / WEEK


@lru_cache(maxsize=4096)  # asked twice at each purchase
def crosses_at(fit: Fit, known: Rhythm, probability: float, horizon: int) -> int | None:
    """The first millisecond at which no purchase within `horizon` is at least so probable.

    None: it was so at the last purchase already and does not cross, or never will be.
    """
    below, above = known.last_at, LAST_TS
    if no_purchase_at(fit, known, below, horizon) >= probability:
        return None
    if above <= below or no_purchase_at(fit, known, above, horizon) < probability:
        return None
    while above - below > 1:
        middle = (below + above) // 2
        if no_purchase_at(fit, known, middle, horizon) >= probability:
            above = middle
        else:
            below = middle
    return above
