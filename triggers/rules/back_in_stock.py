"""Who wanted something that was sold out and can be had again?

Stock of a SKU came back from nothing, and the user has it in the cart or among the favourites, or viewed
it while it was out. Interest from before a purchase of the SKU is settled by it. Carts hear of it first, favourites and
viewers in later waves. Each return is told once; selling out again, or the purchase, ends it.
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

NAME = "back_in_stock"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`waves` after the return, by interest; a view counts for `watched_for`.

    At most `reach_per_unit` users are told for each piece there is (None: no limit).
    """

    waves: Waves
    watched_for: Duration
    reach_per_unit: float | None


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    alert = take_alert(asked, "back", params.waves, params.watched_for)
    if alert is None:
        return None
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=asked.user.user_id,
        step=1,
        anchor=f"{alert.sku}:{alert.anchor}",
        at=told_at(alert, params.waves),
        reason=f"back in stock: an item {WORDS[alert.interest]}",
        skus=(alert.sku,),
        fields={"interest": alert.interest},
        offer=params.offer,
        claim=reach(NAME, alert, left(asked, alert), params.reach_per_unit),
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    return next_wave(user, "back", params.waves)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    if left_since(asked, candidate, params.waves) == 0:
        return Reason.OUT_OF_STOCK
    return None if wanted(asked.user, candidate, params.waves) else Reason.STALE


def refuted(user: User, event: events.OrderPlaced, sent: Sent, params: Params) -> bool:
    return bought_by_then(user, event, sent, params.waves)


def conditions(asked: Asked, params: Params) -> list[Condition]:
    what = "a thing she cares about that was sold out can be had again"
    return alert_conditions(asked, "back", params.waves, params.watched_for, what)


RULE = Rule(
    name=NAME,
    version=1,
    question="Who wanted something that was sold out and can be had again?",
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
