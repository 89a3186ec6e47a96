"""Has this user heard enough from us lately: in all, by this rule, on this channel?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from msgspec import Struct

from state.calendar import Duration
from state.local_time import date_at, zone_of
from state.replies import COUNTS, Replies, Told
from triggers.policy.gate import Gate, Proposal
from triggers.trigger import Asked, Reason, Suppress


class Cap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `limit` messages in any rolling `window`, or `per` day of the user's calendar.

    Of which: of `rules` and on `channels`, none: of all. They are counted together, or for `each` rule or channel
    by itself.
    """

    limit: int
    window: Duration | None = None
    per: Literal["day"] | None = None
    rules: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    each: Literal["rule", "channel"] | None = None

    def concerns(self, rule: str, channel: str) -> bool:
        return (not self.rules or rule in self.rules) and (not self.channels or channel in self.channels)


class FrequencyCapParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """At most `marketing` messages to one user in any rolling `window`, and further `caps` by name (null: none).

    Transactional rules are neither counted nor refused. Days are those of the user's time zone, else of `zone`.
    """

    marketing: int
    window: Duration
    zone: str
    caps: dict[str, Cap | None]

    @cached_property
    def by_channel(self) -> bool:
        """Whether one channel may have room where another has none."""
        return any(cap is not None and (cap.channels or cap.each == "channel") for cap in self.caps.values())


def refuse(proposal: Proposal, params: FrequencyCapParams) -> Suppress | None:
    if proposal.rule.transactional:
        return None
    since = proposal.asked.now - params.window
    heard = sum(1 for sent in proposal.asked.user.contact.sent if sent.counts and sent.at > since)
    if heard >= params.marketing:
        return Suppress(Reason.FREQUENCY_CAP, detail="marketing")
    cap = full(proposal.asked, proposal.candidate.rule, proposal.channel or "", params)
    return None if cap is None else Suppress(Reason.FREQUENCY_CAP, detail=cap)


def full(asked: Asked, rule: str, channel: str, params: FrequencyCapParams) -> str | None:
    """The name of the first further cap that has no room for a message of this rule on this channel."""
    for name, cap in params.caps.items():
        if cap is None or not cap.concerns(rule, channel):
            continue
        counted = counted_by(asked.user.own_replies, cap, rule, channel)
        if cap.window is not None:
            since = asked.now - cap.window
            heard = sum(1 for told in counted if told.at > since)
        else:
            zone = zone_of(asked.user.contact.timezone, params.zone)
            today = date_at(asked.now, zone)
            heard = sum(1 for told in counted if date_at(told.at, zone) == today)
        if heard >= cap.limit:
            return name
    return None


def counted_by(replies: Replies | None, cap: Cap, rule: str, channel: str) -> Iterator[Told]:
    """The messages that this cap counts together with one of this rule on this channel."""
    for thread in () if replies is None else replies.threads:
        if not cap.concerns(thread.rule, thread.channel):
            continue
        if (cap.each == "rule" and thread.rule != rule) or (
            cap.each == "channel" and thread.channel != channel
        ):
            continue
        for told in thread.told:
            if told.signs & COUNTS:
                yield told


GATE = Gate(name="frequency_cap", params=FrequencyCapParams, refuse=refuse)
