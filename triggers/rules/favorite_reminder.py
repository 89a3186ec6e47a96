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
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import nearest, so, time_is, when

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


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, favourites = asked.user, asked.user.favourites
    groups = [
        [
            so(True, f"{sku} was marked as a favourite: {when(marked_at)}"),
            so(bought_at(user, sku) < marked_at, "it was not bought since"),
            time_is(asked, marked_at + params.delay, f"{in_words(params.delay)} have passed"),
        ]
        for sku, marked_at in sorted(favourites.waiting.items(), key=lambda each: (each[1], each[0]))
    ]
    return nearest(groups, f"a favourite was not told of yet: {len(favourites.skus)} marked, all told of")


RULE = Rule(
    name=NAME,
    version=1,
    question="Who marked something as a favourite and has not bought it since?",
    params=Params,
    on=(events.Favorited, events.Unfavorited),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    swayed_by=(events.OrderPlaced, events.OrderCancelled),
    refuted_by=(events.OrderPlaced, events.Unfavorited),
    refuted=refuted,
)
