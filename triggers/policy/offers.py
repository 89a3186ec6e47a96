"""Which offer goes with it? One live offer per user and need, whatever the rule and the channel.

While an offer lives, everything said about its need repeats it; only then may another be made. Which one is made
depends on the customer's group.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from state.calendar import Duration
from state.segments import flags_of, group_of
from triggers.policy.gate import Gate, Proposal
from triggers.trigger import Candidate, RuleParams


class OffersParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`valid_for` since an offer was first made, `valid_for_each` for some of them.

    `by_group`: by the name in a rule's stanza, what users of a group (core, potential, wakeup) get instead.
    """

    valid_for: Duration
    valid_for_each: dict[str, Duration]
    by_group: dict[str, dict[str, str]]


def amend(proposal: Proposal, params: OffersParams) -> Proposal:
    candidate, asked = proposal.candidate, proposal.asked
    if candidate.offer is None:
        return proposal
    live = asked.user.contact.live_offer(need_of(candidate, proposal.rule), asked.now)
    if live is not None:
        name, until = live.name, live.until
    else:
        groups = params.by_group.get(candidate.offer)
        name = candidate.offer if groups is None else groups.get(_group(proposal) or "", candidate.offer)
        until = asked.now + params.valid_for_each.get(name, params.valid_for)
    return replace(proposal, candidate=replace(candidate, offer=name), offer_until=until)


def need_of(candidate: Candidate, rule: RuleParams) -> str:
    """What the offer is about: the stanza's `need`; a rule without one has a need of its own."""
    return rule.need or candidate.rule


def _group(proposal: Proposal) -> str | None:
    asked = proposal.asked
    return group_of(flags_of(asked.user, asked.now, asked.fold.segments, asked.fold.days))


GATE = Gate(name="offers", params=OffersParams, amend=amend)
