"""Who has just reached another membership tier, or lost one?

Tiers are those of `membership` in the settings; how one is kept is said in state/tiers.py. Days that leave the window
are waited for: each user's next one that matters, nobody is polled. Nobody is told of the first tier, which every
buyer has; who skips it has come from there. A change that is undone before it was told is no change. None is ever
retracted: if a late event shows another tier, that is the next change.
This rule keeps the tier on record: switched off, a tier is not kept beyond its year.
"""

from __future__ import annotations

from typing import Any

from state import events
from state.folding import FoldParams
from state.tiers import YEAR_DAYS, held_rank, next_change_at, rank_of
from state.user import User
from triggers.spending import SPENDING_EVENTS
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import counted, last_order, so

NAME = "tier_changed"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing of its own."""


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, now, terms = asked.user, asked.now, asked.fold.membership
    rank = rank_of(user, terms, asked.fold.days)
    if rank is None or terms.tiers[rank].name == user.membership.tier:
        return None
    tier, held = terms.tiers[rank], user.membership.tier
    if _comes_first(asked, rank):
        return None
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


def _comes_first(asked: Asked, rank: int) -> bool:
    """A purchase at the very moment of a fall by time: the purchase comes first, and its payment may be next."""
    held = held_rank(asked.user, asked.fold.membership) or 0
    return rank < held and isinstance(asked.event, events.OrderPlaced | events.OrderPaid)


def _told(user: User, held: str) -> str:
    """The tier that the user believes to have: where a change still waits to be told, the one before it."""
    waiting: list[dict[str, Any]] = [pending.fields for pending in user.pending if pending.rule == NAME]
    return str(waiting[0]["from"]) if waiting else held


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, terms, days = asked.user, asked.fold.membership, asked.fold.days
    rank, held = rank_of(user, terms, days), user.membership.tier
    if rank is None:
        return [so(False, f"she has bought: {last_order(user)}")]
    tier = terms.tiers[rank].name
    orders, net = user.rfm.window(user.decided_at, YEAR_DAYS, days)
    earned = f"{counted(orders, 'order')} and net {net} in {YEAR_DAYS} days make her {tier}"
    text = f"the tier is another than the one on record, {held or 'none'}: {earned}"
    found = [so(tier != held, text, next_change_at(user, terms, days))]
    if tier != held:
        told, known = _told(user, held or terms.tiers[0].name), held is None or terms.rank(held) is not None
        found.append(so(known and told != tier, f"she does not believe to have it already: {told}"))
        found.append(so(not _comes_first(asked, rank), "it is not a fall at the moment of a purchase"))
    return found


RULE = Rule(
    name=NAME,
    version=1,
    question="Who has just reached another membership tier, or lost one?",
    params=Params,
    on=SPENDING_EVENTS,
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    catches_up=True,
    fields={
        "from": "the tier before",
        "to": "the tier now",
        "direction": "`up` or `down`",
        "benefits": "what the tier now brings, by the names in the settings",
    },
)
