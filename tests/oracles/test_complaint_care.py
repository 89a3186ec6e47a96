"""Is every complaint that stays open told once, and every low review, in whatever order they are read?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import HOUR, MINUTE
from tests.oracles.kit import Arrival, Told, scattered, told
from tests.oracles.reader import Case, expected

PARAMS = {"delay": "1h", "low_rating": 2, "valid_for": "3h"}


def histories(chance: Random) -> list[Any]:
    ts = 1_780_000_000_000
    history: list[Any] = []
    for number in range(chance.randint(0, 40)):
        ts += chance.choice((0, 1, 5 * MINUTE, 20 * MINUTE, HOUR, HOUR - 1, 4 * HOUR))
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts, "user_id": "u1"}
        kind = chance.randrange(8)
        if kind < 3:
            history.append(events.ComplaintOpened(id=f"c{chance.randrange(3)}", topic="t", **about))
        elif kind < 6:
            names = [f"c{n}" for n in range(3)] + [f"e{n}" for n in range(max(0, number - 3), number + 2)]
            history.append(events.ComplaintClosed(id=chance.choice(names), **about))
        else:
            history.append(events.ReviewPosted(sku="k1", rating=chance.randrange(6), **about))
    return history


def cases(known: list[Any], settled: dict[Any, Told], event: Any) -> list[Case]:
    found = []
    closings = [e for e in known if isinstance(e, events.ComplaintClosed)]
    for complaint_id in {e.id for e in known if isinstance(e, events.ComplaintOpened)}:
        closed_at = max((e.ts for e in closings if e.id == complaint_id), default=-1)
        openings = [
            e
            for e in known
            if isinstance(e, events.ComplaintOpened) and e.id == complaint_id and e.ts > closed_at
        ]
        if openings and not any(e.event_id in settled for e in openings):
            first = min(openings, key=lambda e: (e.ts, e.event_id))
            found.append(Case(first.event_id, Told("u1", 1, first.event_id, first.ts + HOUR)))
    if isinstance(event, events.ReviewPosted) and event.rating <= 2:
        closed = any(e.id == event.event_id and e.ts >= event.ts for e in closings)
        review = Told("u1", 1, event.event_id, event.ts, (event.sku,))
        found.append(Case(event.event_id, review, stands=not closed, at_once=True))
    return found


def both(arrivals: list[Arrival], lateness: int) -> tuple[list[Told], list[Told]]:
    listens = (events.ComplaintOpened, events.ComplaintClosed, events.ReviewPosted)
    return sorted(told("complaint_care", PARAMS, arrivals, lateness=lateness)), expected(
        arrivals, cases, listens, valid_for=3 * HOUR, lateness=lateness
    )


@given(st.integers(0, 2**32), st.sampled_from((10 * MINUTE, 3 * HOUR)))
def test_what_is_told_is_what_a_patient_reader_would_tell(seed: int, lateness: int) -> None:
    chance = Random(seed)
    actual, wanted = both(scattered(chance, histories(chance), most_late=2 * HOUR), lateness)
    assert actual == wanted
