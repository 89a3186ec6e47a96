"""Is every streak told once, with days taken from a calendar and looked at one by one?"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import DAY, HOUR, MINUTE
from tests.oracles.kit import Arrival, Told, scattered, told

START = 1_780_000_000_000


def histories(chance: Random, zone: str | None) -> list[Any]:
    ts = START
    history: list[Any] = []
    if zone is not None:
        history.append(events.ProfileUpdated(event_id="zone", ts=0, user_id="u1", timezone=zone))
    for number in range(chance.randint(0, 45)):
        ts += chance.choice((0, 1, HOUR, 12 * HOUR, DAY, DAY, DAY, DAY, 25 * HOUR, 2 * DAY))
        history.append(events.CheckedIn(event_id=f"e{number}", ts=ts, user_id="u1"))
    return history


def expected(arrivals: list[Arrival], length: int, lateness: int, zone: str | None) -> list[Told]:
    seen: set[str] = set()
    free: dict[date, bool] = {}  # False: it belongs to a streak that was told
    said = []
    for at, event in arrivals:
        if event.event_id in seen or not isinstance(event, events.CheckedIn):
            continue
        seen.add(event.event_id)
        day = datetime.fromtimestamp(event.ts / 1000, tz=ZoneInfo(zone or "UTC")).date()
        free.setdefault(day, True)
        if event.ts < at - lateness:
            continue
        for first in (day - timedelta(days=back) for back in reversed(range(length))):
            row = [first + timedelta(days=number) for number in range(length)]
            if all(free.get(each, False) for each in row):
                said.append(Told("u1", 1, first.isoformat(), event.ts))
                free.update(dict.fromkeys(row, False))
                break
    return said


@given(
    st.integers(0, 2**32),
    st.integers(1, 7),
    st.sampled_from((10 * MINUTE, 5 * DAY)),
    st.sampled_from((None, "Asia/Shanghai", "America/New_York")),
)
def test_every_streak_is_told_once(seed: int, length: int, lateness: int, zone: str | None) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, histories(chance, zone), most_late=4 * DAY)
    arrivals.sort(key=lambda arrival: arrival.event.event_id != "zone")
    actual = told("checkin_streak", {"length": length}, arrivals, lateness=lateness)
    assert actual == expected(arrivals, length, lateness, zone)
