"""How probable is it that this user is leaving, as her shop's own history has answered before?

A logistic correction of the model's probability of no purchase, by how long she has been silent, how often she has
bought and at what intervals. Learned by `beckon fit` from earlier moments of the history and what followed them
(docs/decisions/0031-a-churn-score-learned-from-the-past.md). No weight of what grows with silence is negative, so
between purchases the score only rises, and when it crosses a threshold is known at the purchase.
"""

from __future__ import annotations

from math import exp, log, log1p
from typing import Annotated, Final

from msgspec import Meta, Struct

from state.btyd import Fit, p_no_purchase
from state.calendar import Duration

_FAR: Final = 700.0  # exp() of more is no double
_SURE: Final = 1e-12  # a probability nearer to 0 or 1 has no logit worth adding

Growing = Annotated[float, Meta(ge=0)]


class ChurnScore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights of `features`; `horizon` for which they were learned; `typical_gap` between purchases, weeks."""

    horizon: Duration
    typical_gap: Annotated[float, Meta(gt=0)]
    intercept: float
    model: Growing
    recency: Growing
    purchases: float
    gap: float


def features(
    fit: Fit, typical_gap: float, x: int, last: float, now: float, horizon: float
) -> tuple[float, float, float, float]:
    """What the weights `model`, `recency`, `purchases`, `gap` are of; times in weeks."""
    silent = min(max(p_no_purchase(fit, x, last, now, horizon), _SURE), 1 - _SURE)
    return (
        log(silent) - log1p(-silent),
        log1p(now - last),
        log1p(x),
        log((typical_gap + last) / (1 + x)),
    )


def churn_probability(fit: Fit, score: ChurnScore, x: int, last: float, now: float, horizon: float) -> float:
    """Of no purchase within `horizon` weeks from `now`."""
    silent, recency, purchases, gap = features(fit, score.typical_gap, x, last, now, horizon)
    logit = score.intercept + score.model * silent + score.recency * recency
    logit += score.purchases * purchases + score.gap * gap
    return 1 / (1 + exp(min(max(-logit, -_FAR), _FAR)))
