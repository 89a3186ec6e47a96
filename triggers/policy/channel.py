"""On which channel do we reach this user? The preferred one that the rule allows and consent covers, else the next.

The preferred one is the one that she has named, then the one on which she answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from state.calendar import Duration
from state.contact import Consent
from state.user import User
from triggers.policy.consent import allowed
from triggers.policy.frequency_cap import full
from triggers.trigger import Asked, Candidate, RuleParams

_NEVER = Consent(False, -1)


class ChannelParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`habits`: channels on which answers show a habit, counted within `habit_within`.

    A channel on which a message bounced is left out for `bounced_for`, or until a message gets through on it, consent
    is given anew, or the profile is updated: with it, perhaps, the address.
    """

    habits: tuple[str, ...]
    habit_within: Duration
    bounced_for: Duration


def choose_channel(
    asked: Asked, candidate: Candidate, rule: RuleParams, policy: Mapping[str, Any], *, gated: bool
) -> str | None:
    """The channel, or None when consent covers none that works; not `gated` (policy off): every channel is covered.

    A cap on a channel speaks against the channel, not against the message: the next one with room is taken. Where none
    has room it is the first, and the cap refuses.
    """
    user, channel = asked.user, policy["channel"]
    channels = in_order(user, candidate.channels or rule.channels, asked.now, channel)
    if gated:
        consent = policy["consent"]
        channels = [
            c
            for c in channels
            if allowed(user, c, consent) and not bounced(user, c, asked.now, channel.bounced_for)
        ]
        caps = policy["frequency_cap"]
        if caps.by_channel and not rule.transactional:
            roomy = (c for c in channels if full(asked, candidate.rule, c, caps) is None)
            return next(roomy, channels[0] if channels else None)
    return channels[0] if channels else None


def in_order(user: User, channels: tuple[str, ...], now: int, params: ChannelParams) -> list[str]:
    """The user's own choice, then by habit (most answers, of as many the latest), then as the rule has them."""
    contact, replies = user.own_contact, user.own_replies
    ordered = [] if contact is None else [c for c in contact.preferred_channels if c in channels]
    if replies is not None and replies.channels:
        ordered += [c for c in replies.habits(now - params.habit_within, params.habits) if c in channels]
    return [*dict.fromkeys((*ordered, *channels))]


def bounced(user: User, channel: str, now: int, bounced_for: int) -> bool:
    """Has the last message on this channel come back, with no word since that it works?"""
    reach = None if user.own_replies is None else user.own_replies.channels.get(channel)
    if reach is None or not reach.reached_at < reach.bounced_at or now >= reach.bounced_at + bounced_for:
        return False
    consent = user.contact.consent.get(channel, _NEVER)
    return reach.bounced_at > max(consent.at if consent.granted else -1, user.contact.profile_at)
