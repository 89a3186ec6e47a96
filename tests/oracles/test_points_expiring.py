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


def expected(arrivals: list[Arrival]) -> list[Told]:
    """Before each record is read, the steps due by then are told from what is known."""
    read: list[Any] = []
    said: dict[tuple[str, int], Told] = {}
    for at, event in (*once(arrivals), Arrival(FOREVER, None)):
        remains = left(read)
        for lot in read:
            if not isinstance(lot, events.PointsGranted) or remains[lot.lot_id] == 0:
                continue
            for step, before in enumerate(BEFORE, start=1):
                due = lot.expires_at - before
                if lot.ts <= due < at:
                    said.setdefault((lot.lot_id, step), Told("u1", step, lot.lot_id, due))
        read.append(event)
    return sorted(said.values())


@given(st.integers(0, 2**32))
def test_lots_are_warned_of_as_brute_force_says(seed: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, wallet(chance))
    assert sorted(told("points_expiring", {"before": ["30d", "3d"]}, arrivals)) == expected(arrivals)
