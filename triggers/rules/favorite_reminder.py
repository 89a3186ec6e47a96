"""Who marked something as a favourite and has not bought it since?

`delay` after the mark, if the SKU is still a favourite and can be had; stock that nobody told of counts as there. Each
mark is told once; a favourite that is marked again is the same mark until it has been removed. A cancelled order
is no purchase.
"""

from __future__ import annotations

from typing import Any

from state import events
from state.calendar import Duration, in_words
from state.contact import Sent
from state.folding import FoldParams
from state.interest import bought_at
from state.user import User
from triggers.trigger import Asked, Candidate, Reason, Rule, RuleParams

NAME = "favorite_reminder"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`delay` after the mark."""

    delay: Duration


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    favourites = asked.user.own_favourites
    if favourites is None:
        return None
    for marked_at, sku in sorted((ts, sku) for sku, ts in favourites.waiting.items()):
        due = marked_at + params.delay
        if not asked.passed(due):
            break
        del favourites.waiting[sku]
        if bought_at(asked.user, sku) < marked_at:
            return Candidate(
                rule=NAME,
                version=RULE.version,
                user_id=asked.user.user_id,
                step=1,
                anchor=f"{sku}:{marked_at}",
                at=due,
                reason=f"a favourite for {in_words(params.delay)}, not bought",
                skus=(sku,),
                offer=params.offer,
            )
    return None


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    favourites = user.own_favourites
    if favourites is None or not favourites.waiting:
        return None
    return min(favourites.waiting.values()) + params.delay


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    sku, marked_at = candidate.skus[0], _marked_at(candidate.anchor)
    favourites = asked.user.favourites
    if sku not in favourites.skus or favourites.gone.get(sku, -1) > marked_at:
        return Reason.STALE
    if bought_at(asked.user, sku) >= marked_at:
        return Reason.STALE
    item = asked.facts(sku)
    return Reason.OUT_OF_STOCK if item is not None and item.available == 0 else None


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """It was bought, or no favourite any more, after the mark and before the message."""
    lines = event.lines if isinstance(event, events.OrderPlaced) else (event,)
    return event.ts >= _marked_at(sent.anchor) and any(line.sku in sent.skus for line in lines)


def _marked_at(anchor: str) -> int:
    return int(anchor.rpartition(":")[2])


RULE = Rule(
    name=NAME,
    version=1,
    question="Who marked something as a favourite and has not bought it since?",
    params=Params,
    on=(events.Favorited, events.Unfavorited),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    swayed_by=(events.OrderPlaced, events.OrderCancelled),
    refuted_by=(events.OrderPlaced, events.Unfavorited),
    refuted=refuted,
)
