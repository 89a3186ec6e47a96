"""Several things to say to one user within a moment: which one is said?

A candidate waits to the end of the user's window, which the first one opens; then those that have waited compete,
deferred ones of the night among themselves in the morning (triggers/judge.py). Transactional rules neither wait nor
compete.
"""

from __future__ import annotations

from msgspec import Struct

from state.calendar import Duration
from triggers.policy.gate import Gate, Proposal
from triggers.trigger import Defer, Reason


class ArbitrationParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a candidate waits for better ones; 0s: nobody waits, and nobody competes."""

    window: Duration


def refuse(proposal: Proposal, params: ArbitrationParams) -> Defer | None:
    if proposal.waited or proposal.rule.transactional or params.window <= 0:
        return None
    open_windows = [p.until for p in proposal.asked.user.pending if p.why == Reason.ARBITRATION]
    return Defer(min(open_windows, default=proposal.asked.now + params.window), Reason.ARBITRATION)


GATE = Gate(name="arbitration", params=ArbitrationParams, refuse=refuse)
