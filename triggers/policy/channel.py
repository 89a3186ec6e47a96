"""On which channel do we reach this user? Her preferred one that the rule allows and consent covers, else the next."""

from __future__ import annotations

from state.user import User
from triggers.policy.consent import ConsentParams, allowed


def choose_channel(user: User, channels: tuple[str, ...], consent: ConsentParams | None) -> str | None:
    """The channel, or None when consent covers none; without consent settings (policy off) every channel is covered."""
    preferred = [c for c in user.contact.preferred_channels if c in channels]
    for channel in (*preferred, *channels):
        if consent is None or allowed(user, channel, consent):
            return channel
    return None
