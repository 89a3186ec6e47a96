"""On which days does a configured date fall? Fixed, weekly, monthly, lunar (the Chinese calendar) or a solar term.

A day that a month does not have is its last one: 29 February, the 31st, and the 30th of a lunar month of 29 days, so
that lunar `12-30` is always New Year's eve. A leap month is not meant. The tables end with 2099.
"""

from __future__ import annotations

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator
from datetime import MAXYEAR, date, timedelta
from functools import lru_cache
from typing import Annotated, Literal

from msgspec import Meta, Struct

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SOLAR_TERMS = (
    "xiaohan", "dahan", "lichun", "yushui", "jingzhe", "chunfen", "qingming", "guyu",
    "lixia", "xiaoman", "mangzhong", "xiazhi", "xiaoshu", "dashu", "liqiu", "chushu",
    "bailu", "qiufen", "hanlu", "shuangjiang", "lidong", "xiaoxue", "daxue", "dongzhi",
)  # fmt: skip
_TABLE_YEARS = range(1901, 2100)
_YEARS_AHEAD = 3  # a lunar date of winter may leave out a year of ours
_LEAP_YEAR = 2000

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class When(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one: `fixed` and `lunar` are MM-DD, `weekly` a weekday, `monthly` a day, `solar_term` in pinyin."""

    fixed: str | None = None
    weekly: Weekday | None = None
    monthly: Annotated[int, Meta(ge=1, le=31)] | None = None
    lunar: str | None = None
    solar_term: str | None = None

    def __post_init__(self) -> None:
        said = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        if len(said) != 1:
            kinds = "fixed, weekly, monthly, lunar or solar_term"
            raise ValueError(
                f"says {' and '.join(said) or 'nothing'}; give exactly one of {kinds} (null for another)"
            )
        if self.fixed is not None and not _is_day(self.fixed, lunar=False):
            raise ValueError(f"fixed {self.fixed!r} is no day of the year; write MM-DD, as 12-24")
        if self.lunar is not None and not _is_day(self.lunar, lunar=True):
            raise ValueError(
                f"lunar {self.lunar!r} is no day of a lunar year; write MM-DD up to 12-30, as 08-15"
            )
        if self.solar_term is not None and self.solar_term not in SOLAR_TERMS:
            raise ValueError(f"there is no solar term {self.solar_term!r}; known: {', '.join(SOLAR_TERMS)}")


def next_date(when: When, since: date) -> date | None:
    """The first such day that is not before `since`; None where the tables end."""
    for year in range(since.year, min(since.year + _YEARS_AHEAD, MAXYEAR)):
        days = _days_in(when, year)
        place = bisect_left(days, since)
        if place < len(days):
            return days[place]
    return None


def day_of_year(year: int, month: int, day: int) -> date:
    """That day, or the last one of the month."""
    return date(year, month, min(day, monthrange(year, month)[1]))


@lru_cache(maxsize=512)  # a year of a configured date each: a table of days, computed once
def _days_in(when: When, year: int) -> tuple[date, ...]:
    return tuple(sorted(_days(when, year)))


def _days(when: When, year: int) -> Iterator[date]:
    if when.fixed is not None:
        yield day_of_year(year, *_month_and_day(when.fixed))
    elif when.weekly is not None:
        first = date(year, 1, 1)
        day = first + timedelta(days=(WEEKDAYS.index(when.weekly) - first.weekday()) % 7)
        while day.year == year:
            yield day
            day += timedelta(days=7)
    elif when.monthly is not None:
        yield from (day_of_year(year, month, when.monthly) for month in range(1, 13))
    elif year in _TABLE_YEARS:
        yield from _from_tables(when, year)


def _from_tables(when: When, year: int) -> Iterator[date]:
    from borax.calendars.lunardate import LCalendars, LunarDate, TermUtils

    if when.solar_term is not None:
        yield TermUtils.nth_term_day(year, SOLAR_TERMS.index(when.solar_term))
    elif when.lunar is not None:
        month, day = _month_and_day(when.lunar)
        for lunar_year in (year - 1, year):  # the last weeks of a lunar year lie in the next one of ours
            last = LCalendars.ndays(lunar_year, month)
            found: date = LunarDate(lunar_year, month, min(day, last)).to_solar_date()
            if found.year == year:
                yield found


def _month_and_day(text: str) -> tuple[int, int]:
    month, _, day = text.partition("-")
    return int(month), int(day)


def _is_day(text: str, *, lunar: bool) -> bool:
    if len(text) != 5 or text[2] != "-" or not (text[:2] + text[3:]).isdecimal():
        return False
    month, day = _month_and_day(text)
    return 1 <= month <= 12 and 1 <= day <= (30 if lunar else monthrange(_LEAP_YEAR, month)[1])
