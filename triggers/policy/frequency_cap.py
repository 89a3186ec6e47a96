"""Has this user heard enough from us lately?"""

from __future__ import annotations

from msgspec import Struct

from state.calendar import Duration
from triggers.policy.gate import Gate, Proposal
from triggers.trigger import Reason, Suppress


class FrequencyCapParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `marketing` messages to one user in any rolling `window`; transactional rules are not counted."""

    marketing: int
    window: Duration


def refuse(proposal: Proposal, params: FrequencyCapParams) -> Suppress | None:
    if proposal.rule.transactional:
        return None
    since = proposal.asked.now - params.window
    heard = sum(1 for sent in proposal.asked.user.contact.sent if sent.counts and sent.at > since)
    return Suppress(Reason.FREQUENCY_CAP) if heard >= params.marketing else None


GATE = Gate(name="frequency_cap", params=FrequencyCapParams, refuse=refuse)
