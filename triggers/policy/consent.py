"""Has the user agreed to be told on this channel?"""

from __future__ import annotations

from msgspec import Struct

from state.user import User
from triggers.policy.gate import Gate, Proposal
from triggers.trigger import Reason, Suppress


class ConsentParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`implied_channels` need no recorded consent (inside the shop, tasks for staff); a recorded no always wins."""

    implied_channels: tuple[str, ...]


def allowed(user: User, channel: str, params: ConsentParams) -> bool:
    consent = user.contact.consent.get(channel)
    return channel in params.implied_channels if consent is None else consent.granted


def refuse(proposal: Proposal, params: ConsentParams) -> Suppress | None:
    """The channel was chosen among those with consent that work; none left means no, or that nothing gets through."""
    user = proposal.asked.user
    if user.erased_at is not None:
        return Suppress(Reason.ERASED)
    if proposal.channel is not None:
        return None
    agreed = any(allowed(user, c, params) for c in proposal.candidate.channels or proposal.rule.channels)
    return Suppress(Reason.UNREACHABLE if agreed else Reason.NO_CONSENT)


GATE = Gate(name="consent", params=ConsentParams, refuse=refuse)
