"""Who of a region must hear of which weather, and when? Asked of the whole history, alert by alert and user by user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from state import events
from state.calendar import HOUR, MINUTE
from tests.oracles.kit import Arrival, Told, in_order, scattered, told

START = 1_790_000_000_000
USERS, REGIONS = ("u1", "u2", "u3"), ("north", "south")
CONDITIONS = {"rain": ["umbrella", "boots"], "heat": ["fan"]}
GOOD_FOR = {(condition, each) for condition, many in CONDITIONS.items() for each in many}


def history_of(chance: Random, length: int) -> list[Any]:
    history: list[Any] = []
    ts, alerts = START, 0
    for number in range(length):
        ts += chance.choice((1, MINUTE, 7 * MINUTE, HOUR, 5 * HOUR))
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts}
        who = about | {"user_id": chance.choice(USERS)}
        kind = chance.randrange(5)
        if kind == 0 and alerts < 7:
            alerts += 1
            starts = ts + chance.choice((-HOUR, 0, 3 * HOUR, 4 * HOUR, 9 * HOUR))
            ends = starts + chance.choice((2 * HOUR, 6 * HOUR, 40 * HOUR))
            what: dict[str, Any] = {
                "region": chance.choice(REGIONS),
                "condition": chance.choice(("rain", "rain", "heat", "fog")),
            }
            history.append(events.WeatherAlert(**about, **what, starts_at=starts, ends_at=ends))
        elif kind == 1:
            region = chance.choice((*REGIONS, None))
            history.append(events.ProfileUpdated(**who, region=region))
        elif kind == 2:
            category = chance.choice(("umbrella", "fan", None))
            history.append(events.ProductViewed(**who, sku="k1", category=category))
        else:
            history.append(events.CategoryViewed(**who, category=chance.choice(("umbrella", "boots", "fan"))))
    return history


class Oracle:
    """Of one user; `read` is what has come, first copies only, in the order of coming."""

    def __init__(self, arrivals: Sequence[Arrival], user: str, lead: int, least: int) -> None:
        self.user, self.lead, self.least = user, lead, least
        first: dict[str, Arrival] = {}
        for arrival in arrivals:
            first.setdefault(arrival.event.event_id, arrival)
        self.read = [a for a in arrivals if first[a.event.event_id] is a]

    def region(self, upto: int) -> str | None:
        """The region that was said last."""
        region, said_at = None, -1
        for _, event in self.read[:upto]:
            if (
                isinstance(event, events.ProfileUpdated)
                and event.user_id == self.user
                and event.region is not None
                and event.ts >= said_at
            ):
                region, said_at = event.region, event.ts
        return region

    def likes(self, condition: str, upto: int) -> bool:
        views = Counter(
            event.category
            for _, event in self.read[:upto]
            if isinstance(event, events.ProductViewed | events.CategoryViewed) and event.user_id == self.user
        )
        return any((condition, each) in GOOD_FOR and times >= self.least for each, times in views.items())

    def hearings(self, place: int, alert: events.WeatherAlert) -> list[tuple[int, int]]:
        """Where in the reading, and as of when, the user is in the region: as the alert comes, or comes there later."""
        found = [(place + 1, alert.ts)] if self.region(place) == alert.region else []
        for at in range(place + 1, len(self.read)):
            event = self.read[at].event
            if self.region(at) != alert.region and self.region(at + 1) == alert.region:
                found.append((at + 1, max(alert.ts, event.ts)))
        return found

    def expected(self) -> list[Told]:
        found = []
        for place, (_, alert) in enumerate(self.read):
            if not isinstance(alert, events.WeatherAlert) or alert.condition not in CONDITIONS:
                continue
            for came, at in self.hearings(place, alert) if alert.ends_at > alert.ts else []:
                due = max(at, alert.starts_at - self.lead)
                if at >= alert.ends_at or (
                    alert.starts_at - self.lead <= at and not self.likes(alert.condition, came)
                ):
                    continue  # nothing to hear: there may be on coming again
                # A timer's answer counts everything read until then, and what came with the alert itself.
                upto = came if due <= at else max(came, sum(arrival.at <= due for arrival in self.read))
                if self.region(upto) == alert.region and self.likes(alert.condition, upto):
                    found.append(Told(self.user, 1, alert.event_id, due))
                break
        return found


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from((0, HOUR, 4 * HOUR)), st.integers(1, 3))
def test_everybody_of_the_region_with_an_affinity_is_told_once_at_its_time(
    seed: int, scatter: bool, lead: int, least: int
) -> None:
    chance = Random(seed)
    history = history_of(chance, 50)
    arrivals = scattered(chance, history) if scatter else in_order(history)
    expected = [each for user in USERS for each in Oracle(arrivals, user, lead, least).expected()]
    params = {"lead": f"{lead}ms", "min_affinity": least, "conditions": CONDITIONS}
    assert sorted(told("weather_scene", params, arrivals)) == sorted(expected)
