"""Does a configured date fall on the days that other calendars show?"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.almanac import SOLAR_TERMS, WEEKDAYS, When, next_date

# Two libraries that compute them in different ways, borax and lunar-python, agree on all lunar and solar ones.
GOLDEN: list[tuple[dict[str, Any], list[str]]] = [
    ({"lunar": "01-01"}, ["2026-02-17", "2027-02-06", "2028-01-26", "2029-02-13", "2030-02-03"]),
    ({"lunar": "12-30"}, ["2026-02-16", "2027-02-05", "2028-01-25", "2029-02-12", "2030-02-02"]),
    ({"lunar": "08-15"}, ["2026-09-25", "2027-09-15", "2028-10-03", "2029-09-22", "2030-09-12"]),
    ({"lunar": "05-05"}, ["2026-06-19", "2027-06-09", "2028-05-28", "2029-06-16", "2030-06-05"]),
    ({"lunar": "07-07"}, ["2026-08-19", "2027-08-08", "2028-08-26", "2029-08-16", "2030-08-05"]),
    ({"solar_term": "dongzhi"}, ["2026-12-22", "2027-12-22", "2028-12-21", "2029-12-21", "2030-12-22"]),
    ({"solar_term": "qingming"}, ["2026-04-05", "2027-04-05", "2028-04-04", "2029-04-04", "2030-04-05"]),
    ({"solar_term": "lichun"}, ["2026-02-04", "2027-02-04", "2028-02-04", "2029-02-03", "2030-02-04"]),
    ({"fixed": "12-24"}, [f"{year}-12-24" for year in range(2026, 2031)]),
    ({"fixed": "02-29"}, ["2026-02-28", "2027-02-28", "2028-02-29", "2029-02-28", "2030-02-28"]),
    ({"monthly": 31}, ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
    ({"weekly": "friday"}, ["2026-01-02", "2026-01-09", "2026-01-16", "2026-01-23", "2026-01-30"]),
]


@pytest.mark.parametrize(("written", "expected"), GOLDEN, ids=lambda each: str(each) if each else "")
def test_dates_as_other_calendars_have_them(written: dict[str, Any], expected: list[str]) -> None:
    when, found, since = When(**written), [], date(2026, 1, 1)
    for _ in expected:
        day = next_date(when, since)
        assert day is not None
        found.append(day.isoformat())
        since = day + timedelta(days=1)
    assert found == expected


_WHENS = st.one_of(
    st.dates(date(2000, 1, 1), date(2000, 12, 31)).map(lambda day: When(fixed=f"{day:%m-%d}")),
    st.sampled_from(WEEKDAYS).map(lambda day: When(weekly=day)),  # type: ignore[arg-type]
    st.integers(1, 31).map(lambda day: When(monthly=day)),
    st.tuples(st.integers(1, 12), st.integers(1, 30)).map(lambda day: When(lunar="{:02}-{:02}".format(*day))),
    st.sampled_from(SOLAR_TERMS).map(lambda term: When(solar_term=term)),
)


@given(_WHENS, st.dates(date(1990, 1, 1), date(2090, 1, 1)))
def test_the_next_one_is_not_before_the_day_and_within_a_lunar_year(when: When, since: date) -> None:
    day = next_date(when, since)
    assert day is not None
    assert since <= day <= since + timedelta(days=385)
    assert next_date(when, day) == day
    assert {next_date(when, since + timedelta(days=n)) for n in range(0, (day - since).days, 7)} <= {day}


def test_the_solar_terms_of_a_year_come_in_their_order() -> None:
    days = [next_date(When(solar_term=term), date(2027, 1, 1)) for term in SOLAR_TERMS]
    assert days == sorted(day for day in days if day is not None)
    assert {day.year for day in days if day is not None} == {2027}


def test_where_the_tables_end_there_is_no_next_one() -> None:
    assert next_date(When(lunar="08-15"), date(2100, 1, 1)) is None
    assert next_date(When(fixed="08-15"), date(9999, 9, 1)) is None


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({}, "says nothing; give exactly one"),
        ({"fixed": "12-24", "monthly": 3}, "says fixed and monthly; give exactly one"),
        ({"fixed": "13-40"}, "no day of the year"),
        ({"fixed": "02-30"}, "no day of the year"),
        ({"fixed": "2-03"}, "no day of the year"),
        ({"lunar": "08-31"}, "no day of a lunar year"),
        ({"lunar": "00-01"}, "no day of a lunar year"),
        ({"solar_term": "winter"}, "no solar term 'winter'; known: xiaohan"),
    ],
)
def test_what_is_no_date_is_refused_in_words(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        When(**written)
