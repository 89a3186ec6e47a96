"""Is everyone who belongs to the audience greeted on each day of the calendar, once, and nobody else?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from state import events
from state.calendar import DAY
from tests.oracles.kit import Arrival, Told, scattered, told
from tests.oracles.purchases import START, Ledger, shopping

UNTIL = START + 420 * DAY
_DAY = {"at_time": "10:00", "offer": None}
PARAMS: dict[str, Any] = {
    "zone": "Asia/Shanghai",
    "seen_within": "2000d",
    "scenes": {
        "friday": {"when": {"weekly": "friday"}, "days_before": 0, "audience": ["core", "growing"], **_DAY},
        "autumn": {"when": {"lunar": "08-15"}, "days_before": 3, "audience": ["registered"], **_DAY},
        "month": {"when": {"monthly": 31}, "days_before": 1, "audience": ["ordered"], **_DAY},
        "winter": {"when": {"solar_term": "dongzhi"}, "days_before": 0, "audience": ["lost"], **_DAY},
    },
}
AUTUMN = {date(2026, 9, 25), date(2027, 9, 15)}
WINTER = {date(2026, 12, 22), date(2027, 12, 22)}


class Known(Struct):
    """What has been read of one user."""

    ledger: Ledger
    zone: ZoneInfo = ZoneInfo("Asia/Shanghai")
    registered: bool = False

    def read(self, event: Any) -> None:
        if isinstance(event, events.Registered):
            self.registered = True
        elif isinstance(event, events.ProfileUpdated):
            self.zone = ZoneInfo(event.timezone or "Asia/Shanghai")
        elif not isinstance(event, events.SessionStarted):
            self.ledger.read(event)

    def scenes(self, day: date) -> list[tuple[str, int, bool]]:
        """(scene, days before, whether only buyers can belong) of the scenes of a day."""
        found = [("friday", 0, True)] if day.weekday() == 4 else []
        if day in AUTUMN:
            found.append(("autumn", 3, False))
        if (day + timedelta(days=1)).day == 1:
            found.append(("month", 1, True))
        if day in WINTER:
            found.append(("winter", 0, True))
        return found

    def dues(self, since: int, until: int) -> list[tuple[int, str, date]]:
        """What this user may belong to and is due in [since, until), in order."""
        bought, found = bool(self.ledger.paid()), []
        day = datetime.fromtimestamp(since // 1000, tz=UTC).date() - timedelta(days=2)
        while day <= datetime.fromtimestamp(until // 1000, tz=UTC).date() + timedelta(days=6):
            for name, before, for_buyers in self.scenes(day):
                eve = day - timedelta(days=before)
                local = datetime(eve.year, eve.month, eve.day, 10, tzinfo=self.zone)
                due = round(local.astimezone(UTC).timestamp() * 1000)
                if since <= due < until and (bought if for_buyers else self.registered):
                    found.append((due, name, day))
            day += timedelta(days=1)
        return sorted(found)

    def belongs(self, scene: str, now: int) -> bool:
        flags = self.ledger.flags(now)
        return {
            "friday": flags in ("111", "100"),
            "autumn": self.registered,
            "month": flags is not None,
            "winter": flags == "000",
        }[scene]


def _history(chance: Random) -> list[Any]:
    history = shopping(chance, at_most=6) if chance.random() < 0.8 else []
    for number in range(chance.randrange(1, 5)):
        ts = START + chance.randrange(300 * DAY)
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts, "user_id": "u1"}
        history.append(
            chance.choice(
                (
                    events.Registered(**about),
                    events.SessionStarted(**about),
                    events.ProfileUpdated(
                        **about, timezone=chance.choice(("America/New_York", "Europe/Berlin"))
                    ),
                )
            )
        )
    return history


def _expected(arrivals: list[Arrival]) -> list[Told]:
    known, read, said = Known(Ledger()), set[str](), dict[str, int]()
    reached = -1
    for arrival, following in zip(arrivals, [*arrivals[1:], Arrival(UNTIL, None)], strict=True):
        event = arrival.event
        if event.event_id not in read:
            read.add(event.event_id)
            known.read(event)
            if not isinstance(event, events.SessionStarted):
                reached = max(reached, event.ts)
        for due, name, day in known.dues(max(reached, START), following.at):
            reached = due + 1
            if known.belongs(name, due):
                said.setdefault(f"{name}:{day.isoformat()}", due)
    return [Told("u1", 1, anchor, due) for anchor, due in said.items()]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_each_scene_greets_its_audience_once(seed: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, _history(chance))
    assert told("calendar_scene", PARAMS, arrivals, until=UNTIL) == _expected(arrivals)
