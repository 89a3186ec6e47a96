"""Is everyone told of each birthday once, three days before it by local date, or as soon as it is known?"""

from __future__ import annotations

from calendar import isleap
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from state import events
from state.calendar import DAY, HOUR, MINUTE
from tests.oracles.kit import Arrival, Told, scattered, told

PARAMS = {"before": "3d", "at_time": "10:00", "zone": "Asia/Shanghai", "seen_within": "2000d"}
START = 1_790_000_000_000
UNTIL = START + 800 * DAY
ZONES = ("America/New_York", "Europe/Berlin", "Pacific/Auckland", "No/Where")
BIRTHDAYS = ("02-29", "1990-12-31", "06-15", "06-18", "2027-06-15", "13-45", "03-01", "10-01", "2000-10-02")
PAUSES = (MINUTE, 7 * HOUR, DAY, 3 * DAY, 40 * DAY, 90 * DAY)


class Known(Struct):
    zone: ZoneInfo = ZoneInfo("Asia/Shanghai")
    own: str | None = None
    children: tuple[str, ...] = ()
    zone_at: int = -1
    own_at: int = -1
    children_at: int = -1

    def learn(self, event: events.ProfileUpdated) -> None:
        """Each field by its latest word."""
        if event.timezone is not None and event.ts >= self.zone_at:
            self.zone = ZoneInfo("Asia/Shanghai" if event.timezone == "No/Where" else event.timezone)
            self.zone_at = event.ts
        if event.birthday is not None and event.ts >= self.own_at:
            self.own, self.own_at = event.birthday, event.ts
        if event.child_birthdays is not None and event.ts >= self.children_at:
            self.children, self.children_at = event.child_birthdays, event.ts

    def is_birthday(self, day: date) -> bool:
        born = [text for text in (self.own, *self.children) if text is not None]
        return any(_falls_on(text, day) for text in born)

    def date_at(self, ts: int) -> date:
        return datetime.fromtimestamp(ts // 1000, tz=self.zone).date()

    def due(self, day: date) -> int:
        eve = day - timedelta(days=3)
        local = datetime(eve.year, eve.month, eve.day, 10, tzinfo=self.zone)
        return round(local.astimezone(UTC).timestamp() * 1000)


def _falls_on(born: str, day: date) -> bool:
    if len(born) == 10 and day.year <= int(born[:4]):
        return False
    moved = born.endswith("02-29") and not isleap(day.year)
    return f"{day:%m-%d}" == ("02-28" if moved else born[-5:])


def _history(chance: Random) -> list[Any]:
    ts = START
    history: list[Any] = []
    for number in range(chance.randrange(1, 14)):
        ts += chance.choice(PAUSES) + chance.randrange(MINUTE)
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts, "user_id": "u1"}
        match chance.randrange(5):
            case 0:
                history.append(events.SessionStarted(**about))
            case 1:
                history.append(events.ProductViewed(**about, sku="k1"))
            case 2:
                history.append(events.ProfileUpdated(**about, timezone=chance.choice(ZONES)))
            case _:
                children = chance.choice((None, (), tuple(chance.sample(BIRTHDAYS, 2))))
                own = chance.choice((None, *BIRTHDAYS))
                history.append(events.ProfileUpdated(**about, birthday=own, child_birthdays=children))
    return history


def _expected(arrivals: list[Arrival]) -> list[Told]:
    """What is known changes as a profile is read; between two readings every day is looked at."""
    known, read, said = Known(), set[str](), dict[str, int]()
    for arrival, following in zip(arrivals, [*arrivals[1:], Arrival(UNTIL, None)], strict=True):
        event = arrival.event
        fresh = event.event_id not in read
        read.add(event.event_id)
        since = arrival.at
        if fresh and isinstance(event, events.ProfileUpdated):
            known.learn(event)
            since = event.ts
        day, timed = known.date_at(since), []
        while day <= known.date_at(following.at) + timedelta(days=5):
            if known.is_birthday(day):
                due = known.due(day)
                if due < since and known.date_at(since) < day:
                    said.setdefault(day.isoformat(), since)
                elif since <= due < following.at:
                    timed.append((due, day.isoformat()))
            day += timedelta(days=1)
        for due, text in sorted(timed):
            said.setdefault(text, due)
    return [Told("u1", 1, day, due) for day, due in said.items()]


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_each_birthday_is_told_once_and_in_time(seed: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, _history(chance))
    assert told("birthday_upcoming", PARAMS, arrivals, until=UNTIL) == _expected(arrivals)
