"""Which variant of the message? By a stable hash of user and rule, sticky while the percentages stay."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from triggers.policy.arms import Percent, share_of
from triggers.policy.gate import Gate, Proposal


class VariantsParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By rule, the percentage of users for each variant; they add up to 100 (config/checks.py).

    Variants follow each other in the order written: when percentages move, only those at the borders change.
    """

    rules: dict[str, dict[str, Percent]]


def amend(proposal: Proposal, params: VariantsParams) -> Proposal:
    shares = params.rules.get(proposal.candidate.rule)
    if not shares:
        return proposal
    candidate = proposal.candidate
    return replace(proposal, variant=variant_of(candidate.rule, candidate.user_id, shares))


def variant_of(rule: str, user_id: str, shares: dict[str, float]) -> str:
    place, end = share_of(f"variant {rule}", user_id), 0.0
    chosen = ""
    for name, percent in shares.items():
        if percent > 0:
            chosen, end = name, end + percent
        if place < end:
            break
    return chosen  # the last one, where rounding has left a crack before 100


GATE = Gate(name="variants", params=VariantsParams, amend=amend)
