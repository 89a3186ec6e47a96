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
    """The channel was chosen among those with consent; none left means no."""
    if proposal.asked.user.erased_at is not None:
        return Suppress(Reason.ERASED)
    return Suppress(Reason.NO_CONSENT) if proposal.channel is None else None


GATE = Gate(name="consent", params=ConsentParams, refuse=refuse)
