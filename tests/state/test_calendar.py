"""Are durations what operators write, and days what a wall calendar says?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from state.calendar import DAY, HOUR, MINUTE, Days, Duration, in_words, iso, millis

# A jump forward and back at night, one of half an hour, one at midnight, one across the date line.
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu")
_EPOCH = date(1970, 1, 1)
_FROM_2000_TO_2060 = st.integers(946_684_800_000, 2_840_140_800_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500ms", 500),
        ("0s", 0),
        ("30m", 30 * MINUTE),
        ("1.5h", 90 * MINUTE),
        (" 30d ", 30 * DAY),
        ("8w", 56 * DAY),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, expected: int) -> None:
    assert Duration.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "30", "m", "-1h", "1 h", "1h30m", "1H", "1e3s", "inf d", ".5h", "9" * 400 + "d"]
)
def test_anything_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write a number and a unit"):
        Duration.parse(text)


@given(st.integers(0, 10_000 * DAY))
def test_a_duration_written_down_is_read_back(value: int) -> None:
    assert Duration.parse(str(Duration(value))) == value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (HOUR, "1 h"),
        (DAY, "1 day"),
        (30 * DAY, "30 days"),
        (90 * MINUTE, "90 min"),
        (1500, "1500 ms"),
        (0, "0 ms"),
    ],
)
def test_a_duration_as_a_person_says_it(value: int, words: str) -> None:
    assert in_words(value) == words


@given(st.integers(0, 7_258_118_400_000))
def test_a_time_written_as_rfc_3339_is_the_same_time(ts: int) -> None:
    assert iso(ts).endswith("Z")
    assert millis(datetime.fromisoformat(iso(ts))) == ts


@pytest.mark.parametrize("zone", ZONES)
@given(ts=_FROM_2000_TO_2060)
@example(ts=1_774_745_999_999)  # 2026-03-29: the last millisecond before Berlin's clocks go forward
@example(ts=1_774_746_000_000)
@example(ts=1_792_890_000_000)  # 2026-10-25: Berlin's clocks go back
def test_a_day_is_the_local_date(zone: str, ts: int) -> None:
    local = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ts)
    assert Days(zone).of(ts) == (local.astimezone(ZoneInfo(zone)).date() - _EPOCH).days


@pytest.mark.parametrize("zone", ["UTC", *ZONES])
def test_a_day_starts_with_its_first_millisecond(zone: str) -> None:
    days = Days(zone)
    for day in range(18_000, 24_000):  # 2019 to 2035
        start = days.start(day)
        assert (days.of(start - 1), days.of(start)) == (day - 1, day)


def test_utc_days_are_those_of_the_epoch() -> None:
    assert (Days().of(DAY - 1), Days().of(DAY), Days().start(2)) == (0, 1, 2 * DAY)


def test_the_offsets_remembered_are_bounded() -> None:
    days = Days("Europe/Berlin")
    for quarter in range(25_000):
        days.of(1_700_000_000_000 + quarter * 15 * MINUTE)
    assert len(days._offsets) <= 10_000
