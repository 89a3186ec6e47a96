"""What day is it where this user lives, and when is ten o'clock there?"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta

from state.calendar import millis

ClockTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")]


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo | None:
    """None where there is no such zone: a shop's typo in one profile must not stop the flow."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_of(timezone: str | None, otherwise: str) -> ZoneInfo:
    """The user's own zone if she has told one that exists, else the shop's."""
    own = None if timezone is None else zone_named(timezone)
    return own or zone_named(otherwise) or ZoneInfo("UTC")


def date_at(ts: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(ts / 1000, tz=zone).date()


def moment(day: date, clock_time: str, zone: ZoneInfo) -> int:
    """Epoch ms of HH:MM on that day; where the clock jumps over it the hour after, where it comes twice the first."""
    local = datetime.combine(day, time.fromisoformat(clock_time), tzinfo=zone)
    return millis(local.astimezone(UTC))
