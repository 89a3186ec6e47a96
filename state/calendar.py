"""How is time counted? Epoch milliseconds, durations with a unit, and days of one time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_DURATION = re.compile(r"^([0-9]{1,15}(?:\.[0-9]{1,15})?)(ms|s|m|h|d|w)$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZONE_HOURS_LIMIT = 10_000


class Duration(int):
    """Milliseconds, written `30m`, `1h`, `30d`, `8w` in configuration.

    >>> Duration.parse("1.5h")
    5400000
    """

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Raise ValueError, in words an operator understands, when `text` is not a number with a unit."""
        match = _DURATION.match(text.strip())
        if match is None:
            raise ValueError(
                f"{text!r} is not a duration: write a number and a unit, as 500ms, 30m, 1h, 30d or 8w"
            )
        return cls(round(float(match[1]) * _UNITS[match[2]]))

    def __str__(self) -> str:
        for unit in ("w", "d", "h", "m", "s"):
            if self and self % _UNITS[unit] == 0:
                return f"{int(self) // _UNITS[unit]}{unit}"
        return f"{int(self)}ms"


def in_words(millis: int) -> str:
    """A duration as a person says it, in its largest whole unit: `1 h`, `30 days`."""
    for unit, name in ((DAY, "day"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")):
        if millis >= unit and millis % unit == 0:
            count = millis // unit
            return f"{count} {name}s" if name == "day" and count != 1 else f"{count} {name}"
    return f"{millis} ms"


def iso(ts: int) -> str:
    """RFC 3339 in UTC; milliseconds only when there are any."""
    text = (_EPOCH + timedelta(milliseconds=ts)).isoformat(
        timespec="milliseconds" if ts % 1000 else "seconds"
    )
    return text.removesuffix("+00:00") + "Z"


def millis(moment: datetime) -> int:
    """Epoch milliseconds of an aware datetime, rounded down."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def earliest(a: int | None, b: int | None) -> int | None:
    """Of two times that may not be known."""
    return b if a is None else a if b is None else min(a, b)


def latest(a: int | None, b: int | None) -> int | None:
    """Of two times that may not be known."""
    return b if a is None else a if b is None else max(a, b)


class Days:
    """Day numbers (days since 1970-01-01) in one time zone; UTC costs one division."""

    def __init__(self, zone: str = "UTC") -> None:
        self.zone = zone
        self._info = None if zone == "UTC" else ZoneInfo(zone)
        self._offsets: dict[int, int] = {}

    def of(self, ts: int) -> int:
        """The day in which `ts` falls."""
        return (ts if self._info is None else ts + self._offset(ts)) // DAY

    def start(self, day: int) -> int:
        """The first millisecond of `day`."""
        utc = day * DAY
        if self._info is None:
            return utc
        local = datetime(1970, 1, 1, tzinfo=self._info) + timedelta(days=day)
        return millis(local.astimezone(UTC))

    def _offset(self, ts: int) -> int:
        # Zones change their offset on quarter hours at the finest, so one look-up a quarter is exact.
        quarter = ts // (15 * MINUTE)
        offset = self._offsets.get(quarter)
        if offset is None:
            moment = _EPOCH + timedelta(milliseconds=quarter * 15 * MINUTE)
            delta = moment.astimezone(self._info).utcoffset()
            offset = (delta or timedelta()) // timedelta(milliseconds=1)
            if len(self._offsets) >= _ZONE_HOURS_LIMIT:
                self._offsets.clear()
            self._offsets[quarter] = offset
        return offset


def days_in(zone: str | None, otherwise: Days) -> Days:
    """The days of a user's time zone, `otherwise` where she has told none, or none that exists."""
    return otherwise if zone is None else _days_of(zone) or otherwise


@lru_cache(maxsize=64)
def _days_of(zone: str) -> Days | None:
    try:
        return Days(zone)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return None
