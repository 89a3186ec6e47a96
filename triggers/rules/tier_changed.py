"""Who has just reached another membership tier, or lost one?

Tiers are those of `membership` in the settings; how one is kept is said in state/tiers.py. Days that leave the window
are waited for: each user's next one that matters, nobody is polled. Nobody is told of the first tier, which every
buyer has; who skips it has come from there. A change that is undone before it was told is no change. None is ever
retracted: if a late event shows another tier, that is the next change.
This rule keeps the tier on record: switched off, profiles show none, and a tier is not kept beyond its year.
"""

from __future__ import annotations

from typing import Any

from state import events
from state.folding import FoldParams
from state.tiers import next_change_at, rank_of
from state.user import User
from triggers.spending import SPENDING_EVENTS
from triggers.trigger import Asked, Candidate, Reason, Rule, RuleParams

NAME = "tier_changed"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing of its own."""


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, now, terms = asked.user, asked.now, asked.fold.membership
    rank = rank_of(user, terms, asked.fold.days)
    if rank is None or terms.tiers[rank].name == user.membership.tier:
        return None
    tier, held = terms.tiers[rank], user.membership.tier
    if rank < (terms.rank(held) or 0) and isinstance(asked.event, events.OrderPlaced | events.OrderPaid):
        return None  # by time, at this very moment: the purchase comes first, and its payment may be next
    user.membership.tier, user.membership.since = tier.name, now
    if held is not None and terms.rank(held) is None:
        return None  # a tier that the settings have given up is replaced without a word
    told = _told(user, held or terms.tiers[0].name)
    if told == tier.name:
        return None
    direction = "up" if rank > (terms.rank(told) or 0) else "down"
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=f"{tier.name}@{now}" if asked.event is None else asked.event.event_id,
        at=now,
        reason=f"tier {direction} from {told} to {tier.name}",
        fields={"from": told, "to": tier.name, "direction": direction, "benefits": list(tier.benefits)},
        offer=params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    return next_change_at(user, fold.membership, fold.days)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    return None if asked.user.membership.tier == candidate.fields["to"] else Reason.STALE


def _told(user: User, held: str) -> str:
    """The tier that the user believes to have: where a change still waits to be told, the one before it."""
    waiting: list[dict[str, Any]] = [pending.fields for pending in user.pending if pending.rule == NAME]
    return str(waiting[0]["from"]) if waiting else held


RULE = Rule(
    name=NAME,
    version=1,
    question="Who has just reached another membership tier, or lost one?",
    params=Params,
    on=SPENDING_EVENTS,
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    catches_up=True,
    fields={
        "from": "the tier before",
        "to": "the tier now",
        "direction": "`up` or `down`",
        "benefits": "what the tier now brings, by the names in the settings",
    },
)
