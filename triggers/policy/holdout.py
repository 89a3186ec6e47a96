"""Is this user one of those who are not told, so that we learn what telling is worth?

A held-out candidate is a ghost: it has passed every gate, takes its place in caps, claims and offers, and is recorded.
"""

from __future__ import annotations

from msgspec import Struct

from triggers.policy.arms import Percent, share_of
from triggers.policy.gate import Gate, Proposal
from triggers.trigger import Reason, Suppress


class HoldoutParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`everything`: percentage of users who get no message but transactional ones. `rules`: of users, by rule.

    A transactional rule has a hold-out only if it is named in `rules`.
    """

    everything: Percent
    rules: dict[str, Percent]


def refuse(proposal: Proposal, params: HoldoutParams) -> Suppress | None:
    rule, user_id = proposal.candidate.rule, proposal.candidate.user_id
    of_all = 0.0 if proposal.rule.transactional else params.everything
    of_rule = params.rules.get(rule, 0.0)
    if (of_all and share_of("holdout", user_id) < of_all) or (
        of_rule and share_of(f"holdout {rule}", user_id) < of_rule
    ):
        return Suppress(Reason.HOLDOUT, channel=proposal.channel)
    return None


GATE = Gate(name="holdout", params=HoldoutParams, refuse=refuse)
