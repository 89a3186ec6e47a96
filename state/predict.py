"""Will this user buy again, for how much, and when does that become unlikely?

From her own purchases and the shop's fitted parameters (`predict` in the settings). It is the probability of no
purchase that warns: 1 - P(alive) says nothing of who has bought once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from state.btyd import Fit, alive_until, expected_orders, p_alive, p_no_purchase, wait_for_next
from state.calendar import WEEK, Duration
from state.churn import ChurnScore, churn_probability
from state.value import SpendParams, Worth, expected_spend, lifetime_value
from state.values import LAST_TS

if TYPE_CHECKING:
    from state.user import User

_YEAR_WEEKS = 52


class PredictParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`none`: nothing is predicted. The others need what was fitted to the shop's own history, times in weeks.

    `file`: as written by `beckon fit`; `fitted` are the checks in it, for people. `spend` and `churn` may be missing.

    `cycles` of things that are bought again and again (state/cycles.py) need no model.
    """

    file: str | None
    model: Literal["none", "mbg_nbd", "bg_nbd"]
    r: float | None
    alpha: float | None
    a: float | None
    b: float | None
    spend: SpendParams | None
    churn: ChurnScore | None
    cycles: dict[str, Duration]
    fitted: dict[str, Any]
    next_order_within: Duration
    margin: Annotated[float, Meta(gt=0)]
    discount: Annotated[float, Meta(ge=0)]


class Rhythm(Struct, frozen=True):
    """`x` repeat purchase days, first and last purchase, epoch ms."""

    x: int
    first_at: int
    last_at: int


class Prediction(Struct, frozen=True):
    """What is expected of a user; None where the parameters do not tell. Money in minor units."""

    no_purchase: float
    alive: float
    orders: float
    next_order_at: int | None
    spend: float | None
    lifetime_value: float | None


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


def predict(user: User, now: int, params: PredictParams, silence: int, orders: int) -> Prediction | None:
    """At `now`, for the horizons `silence` (no purchase) and `orders`, ms; None without parameters or purchases."""
    fit, known = fit_of(params), rhythm_of(user)
    if fit is None or known is None:
        return None
    x, (last, weeks) = known.x, weeks_of(known, now)
    wait = wait_for_next(fit, x, last, weeks)
    soon = wait is not None and wait * WEEK <= params.next_order_within
    each = worth = None
    if params.spend is not None:
        mean = user.rfm.mean_repeat()
        each = expected_spend(params.spend, 0 if mean is None else x, mean or 0.0)
        year = Worth(4, _YEAR_WEEKS // 4, (1 + params.discount) ** (4 / _YEAR_WEEKS) - 1, params.margin)
        worth = lifetime_value(fit, x, last, weeks, each, year)
    return Prediction(
        no_purchase=silence_at(fit, params.churn, known, now, silence),
        alive=p_alive(fit, x, last, weeks),
        orders=expected_orders(fit, x, last, weeks, orders / WEEK),
        next_order_at=max(now, known.last_at) + round(wait * WEEK) if soon and wait is not None else None,
        spend=each,
        lifetime_value=worth,
    )


def silence_at(fit: Fit, score: ChurnScore | None, known: Rhythm, now: int, horizon: int) -> float:
    """Probability of no purchase within `horizon` ms from `now`: by the score if it was learned for that horizon."""
    if score is None or score.horizon != horizon:
        return p_no_purchase(fit, known.x, *weeks_of(known, now), horizon / WEEK)
    return churn_probability(fit, score, known.x, *weeks_of(known, now), horizon / WEEK)


def weeks_of(known: Rhythm, now: int) -> tuple[float, float]:
    """The last purchase, and now, in weeks since the first purchase."""
    return (known.last_at - known.first_at) / WEEK, (max(now, known.last_at) - known.first_at) / WEEK


@lru_cache(maxsize=4096)  # asked twice at each purchase
def crosses_at(
    fit: Fit, known: Rhythm, probability: float, horizon: int, score: ChurnScore | None = None
) -> int | None:
    """The first millisecond at which no purchase within `horizon` is at least so probable.

    None: it was so at the last purchase already and does not cross, or never will be.
    """
    below, above = known.last_at, LAST_TS
    if silence_at(fit, score, known, below, horizon) >= probability:
        return None
    lost = _lost_at(fit, known, probability) if score is None else None
    if lost is not None and lost < above and silence_at(fit, score, known, lost, horizon) >= probability:
        above = lost
    elif above <= below or silence_at(fit, score, known, above, horizon) < probability:
        return None
    while above - below > 1:
        middle = (below + above) // 2
        if silence_at(fit, score, known, middle, horizon) >= probability:
            above = middle
        else:
            below = middle
    return above


def _lost_at(fit: Fit, known: Rhythm, probability: float) -> int | None:
    """When being lost alone is so probable, which no purchase is before that; in closed form."""
    last, _ = weeks_of(known, known.last_at)
    weeks = alive_until(fit, known.x, last, 1 - probability)
    return None if weeks is None or weeks * WEEK > LAST_TS else known.first_at + round(weeks * WEEK) + 1
