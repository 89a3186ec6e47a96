"""What does a user keep of a decision? As much as it takes to tell later why (triggers/explain.py)."""

from __future__ import annotations

from state.history import RETRACT, WHY_LENGTH, Decided
from state.user import User
from triggers.trigger import Candidate, Decision, Defer, Publish, Retract, Suppress

VERDICTS: dict[type, str] = {Publish: "publish", Suppress: "suppress", Defer: "defer", Retract: RETRACT}


def keep(user: User, decision: Decision) -> Decision:
    """Note it with the user, and hand it on."""
    user.history.note(decided(decision))
    return decision


def decided(decision: Decision) -> Decided:
    candidate, outcome = decision.candidate, decision.outcome
    return Decided(
        rule=candidate.rule,
        version=candidate.version,
        step=candidate.step,
        anchor=candidate.anchor,
        due=candidate.at,
        at=decision.at,
        verdict=VERDICTS[outcome.__class__],
        # What an outcome has no word for is blank.
        reason=str(getattr(outcome, "reason", None) or ""),
        why=_why(candidate)[:WHY_LENGTH],
        channel=getattr(outcome, "channel", None) or "",
        until=getattr(outcome, "until", -1),
        winner=getattr(outcome, "winner", None) or "",
        cause=decision.inputs["cause"],
    )


def _why(candidate: Candidate) -> str:
    """Its reason, and what it is about."""
    skus = candidate.skus
    if not skus:
        return candidate.reason
    return f"{candidate.reason}, {skus[0]}" + (f" and {len(skus) - 1} more" if len(skus) > 1 else "")
