"""Is every lot warned of at each of its steps, as long as a point of it is left?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import DAY, HOUR, MINUTE
from tests.oracles.kit import Arrival, Told, scattered, told
from tests.oracles.spending import START, once
from tests.triggers.shop import FOREVER

BEFORE = (30 * DAY, 3 * DAY)


def wallet(chance: Random) -> list[Any]:
    """Grants and spends of one user, often at exactly the time of a step, or a moment beside it."""
    ts, steps = START, [START]
    history: list[Any] = []
    for number in range(chance.randint(1, 24)):
        ts += chance.choice((0, MINUTE, HOUR, DAY, 9 * DAY))
        if chance.random() < 0.4:
            ts = max(ts, chance.choice(steps) + chance.choice((-1, 0, 1, MINUTE)))
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts, "user_id": "u1"}
        if chance.random() < 0.5:
            expires_at = (ts // DAY + chance.choice((1, 3, 20, 30, 33, 45))) * DAY
            granted = events.PointsGranted(
                lot_id=f"l{number}", points=chance.randint(1, 9), expires_at=expires_at, **about
            )
            history.append(granted)
            steps += [expires_at - before for before in BEFORE]
        else:
            history.append(events.PointsSpent(points=chance.randint(1, 12), **about))
    return history


def left(read: list[Any]) -> dict[str, int]:
    """Point by point: each spent one is of the lot alive then that expires first."""
    lots = [e for e in read if isinstance(e, events.PointsGranted)]
    heap = {lot.lot_id: lot.points for lot in lots}
    for spend in sorted((e for e in read if isinstance(e, events.PointsSpent)), key=lambda e: e.ts):
        for _ in range(spend.points):
            alive = [lot for lot in lots if lot.ts <= spend.ts <= lot.expires_at and heap[lot.lot_id]]
            if alive:
                heap[min(alive, key=lambda lot: (lot.expires_at, lot.ts, lot.lot_id)).lot_id] -= 1
    return heap


def expected(arrivals: list[Arrival], lateness: int) -> list[Told]:
    """Before each record is read, the steps due by then are told from what is known.

    What only a record that comes too late has shown to be due by then is never told.
    """
    read: list[Any] = []
    said: dict[tuple[str, int], Told | None] = {}
    for at, event in (*once(arrivals), Arrival(FOREVER, None)):
        for told_now in _due(read, at):
            said.setdefault((told_now.anchor, told_now.step), told_now)
        read.append(event)
        if event is not None and event.ts < at - lateness:
            for missed in _due(read, at):
                said.setdefault((missed.anchor, missed.step), None)
    return sorted(each for each in said.values() if each is not None)


def _due(read: list[Any], at: int) -> list[Told]:
    remains = left(read)
    return [
        Told("u1", step, lot.lot_id, lot.expires_at - before)
        for lot in read
        if isinstance(lot, events.PointsGranted) and remains[lot.lot_id]
        for step, before in enumerate(BEFORE, start=1)
        if lot.ts <= lot.expires_at - before < at
    ]


@given(st.integers(0, 2**32), st.sampled_from((30 * MINUTE, 9 * DAY)))
def test_lots_are_warned_of_as_brute_force_says(seed: int, most_late: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, wallet(chance), most_late=most_late)
    actual = told("points_expiring", {"before": ["30d", "3d"]}, arrivals, lateness=HOUR)
    assert sorted(actual) == expected(arrivals, HOUR)
