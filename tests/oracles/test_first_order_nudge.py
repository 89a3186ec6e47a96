"""Is everybody asked once who registered and has not ordered by the next day?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import DAY, MINUTE
from tests.oracles.customers import lives, standing
from tests.oracles.kit import Told, scattered, told
from tests.oracles.reader import Case, expected


def cases(known: list[Any], settled: dict[Any, Told], event: Any) -> list[Case]:
    registered = [e for e in known if isinstance(e, events.Registered)]
    if not registered:
        return []
    first = min(registered, key=lambda e: e.ts)
    return [Case("once", Told("u1", 1, first.event_id, first.ts + DAY), stands=not standing(known))]


@given(st.integers(0, 2**32), st.sampled_from((10 * MINUTE, 3 * DAY)))
def test_asked_is_who_has_not_ordered(seed: int, lateness: int) -> None:
    chance = Random(seed)
    rarely = [
        e
        for e in lives(chance, dues=(DAY,))
        if not isinstance(e, events.OrderPlaced) or chance.random() < 0.2
    ]
    arrivals = scattered(chance, rarely, most_late=2 * DAY)
    actual = told("first_order_nudge", {"delay": "24h", "valid_for": "24h"}, arrivals, lateness=lateness)
    wanted = expected(arrivals, cases, (events.Registered,), valid_for=DAY, lateness=lateness)
    assert sorted(actual) == wanted
