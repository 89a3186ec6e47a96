"""Is it night where the user lives?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec import Struct

from state.calendar import millis
from state.local_time import zone_named
from triggers.policy.gate import Gate, Proposal
from triggers.trigger import Defer, Reason, Suppress


class QuietHoursParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `start` to `end` (HH:MM, may cross midnight) in the user's time zone, else in `zone`."""

    start: str
    end: str
    zone: str


def refuse(proposal: Proposal, params: QuietHoursParams) -> Suppress | Defer | None:
    if proposal.rule.quiet_hours == "ignore":
        return None
    until = ends_at(proposal.asked.now, proposal.asked.user.contact.timezone or params.zone, params)
    if until is None:
        return None
    if proposal.rule.quiet_hours == "drop":
        return Suppress(Reason.QUIET_HOURS)
    return Defer(until, Reason.QUIET_HOURS)


def ends_at(now: int, zone: str, params: QuietHoursParams) -> int | None:
    """When the quiet hours in which `now` lies are over; None outside them. Local wall time, DST included."""
    info = zone_named(zone) or zone_named(params.zone)
    local = datetime.fromtimestamp(now / 1000, tz=info)
    start, end = _minutes(params.start), _minutes(params.end)
    minute = local.hour * 60 + local.minute
    quiet = start <= minute < end if start <= end else minute >= start or minute < end
    if not quiet:
        return None
    over = local.replace(hour=end // 60, minute=end % 60, second=0, microsecond=0)
    if start > end and minute >= start:
        over += timedelta(days=1)
    return millis(over.astimezone(UTC))


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


GATE = Gate(name="quiet_hours", params=QuietHoursParams, refuse=refuse)
