"""Is every request for a return answered once, unless it is read too late or there is nothing to say?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from state import events
from state.calendar import HOUR
from tests.oracles.kit import Arrival, Told, scattered, told
from tests.oracles.orders_told import Known, story, tell
from tests.state.history import USER

PARAMS: dict[str, Any] = {"actions": {"Size": "size_guide"}, "default_action": None}


def _asked(chance: Random, orders: list[Any]) -> list[Any]:
    """Some of the orders are to go back, in whole or in part."""
    return [
        events.ReturnRequested(
            event_id=f"back-{number}",
            ts=max(0, placed.ts + chance.randint(-2, 60) * HOUR),
            user_id=USER,
            order_id=placed.order_id,
            reason=chance.choice(("size", " SIZE", "colour", "oversize")),
            lines=chance.choice((None, (), placed.lines[:1])),
        )
        for number, placed in enumerate(orders)
        if isinstance(placed, events.OrderPlaced) and chance.random() < 0.5
    ]


def _expected(arrivals: list[Arrival], lateness: int) -> list[Told]:
    known: dict[str, Known] = {}
    read: set[str] = set()
    found = []
    newest = 0
    for at, event in arrivals:
        newest = max(newest, at)
        if event.event_id in read:
            continue
        read.add(event.event_id)
        if not isinstance(event, events.ReturnRequested):
            tell(known, event)
        elif event.ts >= newest - lateness and event.reason.strip().lower() == "size":
            lines = [line.sku for line in event.lines or ()]
            ordered = [sku for sku, _, _ in known.get(event.order_id, Known()).lines]
            skus = tuple(dict.fromkeys(lines or ordered))
            found.append(Told(USER, 1, event.event_id, event.ts, skus))
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_who_is_answered_is_who_the_whole_history_says(seed: int) -> None:
    chance = Random(seed)
    orders = story(chance, chance.randint(0, 15), {"k1": None, "k2": None, "k3": None})
    arrivals = scattered(chance, [*orders, *_asked(chance, orders)], most_late=2 * HOUR)
    assert told("return_care", PARAMS, arrivals, lateness=HOUR) == _expected(arrivals, HOUR)
