"""Whose favourite thing is almost sold out?

Stock of a SKU fell from above to at most `threshold` while it was in the user's cart, favourites or views.
Carts hear of it at once, favourites and viewers in later waves; never more users than the pieces left
can bear. Interest from before a purchase of the SKU is settled by it. Each fall is told once; stock back above the
threshold, or the purchase, ends it.
"""

from __future__ import annotations

from state import events
from state.calendar import Duration
from state.contact import Sent
from state.folding import FoldParams
from state.user import User
from triggers.stock_alerts import (
    INTEREST_EVENTS,
    WORDS,
    Waves,
    alert_conditions,
    bought_by_then,
    left,
    left_since,
    next_wave,
    reach,
    take_alert,
    told_at,
    wanted,
)
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams

NAME = "low_stock"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`threshold` pieces; `waves` after the fall, by interest; a view counts for `watched_for`.

    At most `reach_per_unit` users are told for each piece left (None: no limit).
    """

    threshold: int
    waves: Waves
    watched_for: Duration
    reach_per_unit: float | None


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    alert = take_alert(asked, "low", params.waves, params.watched_for)
    if alert is None:
        return None
    count = left(asked, alert)
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=asked.user.user_id,
        step=1,
        anchor=f"{alert.sku}:{alert.anchor}",
        at=told_at(alert, params.waves),
        reason=f"only {count} left of an item {WORDS[alert.interest]}",
        skus=(alert.sku,),
        fields={"interest": alert.interest},
        offer=params.offer,
        claim=reach(NAME, alert, count, params.reach_per_unit),
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    return next_wave(user, "low", params.waves)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    available = left_since(asked, candidate, params.waves)
    if available == 0:
        return Reason.OUT_OF_STOCK
    if available is not None and available > params.threshold:
        return Reason.STALE
    return None if wanted(asked.user, candidate, params.waves) else Reason.STALE


def refuted(user: User, event: events.OrderPlaced, sent: Sent, params: Params) -> bool:
    return bought_by_then(user, event, sent, params.waves)


def conditions(asked: Asked, params: Params) -> list[Condition]:
    what = f"stock of a thing she cares about falls to {params.threshold} or fewer"
    return alert_conditions(asked, "low", params.waves, params.watched_for, what)


RULE = Rule(
    name=NAME,
    version=1,
    question="Whose favourite thing is almost sold out?",
    params=Params,
    on=(events.StockEdge,),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    swayed_by=INTEREST_EVENTS,
    refuted_by=(events.OrderPlaced,),
    refuted=refuted,
    fields={"interest": "why the user cares, strongest first: `cart`, `favourite`, `viewed`"},
)
