"""Is told who left after visits in vain, as a list of all that is known shows?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from state import events
from state.calendar import DAY, MINUTE
from tests.oracles.kit import Arrival, Told, scattered, told

LINES = (events.Line(sku="k1", quantity=1),)
HALF_AN_HOUR = 30 * MINUTE


def histories(chance: Random) -> list[Any]:
    with_sessions = chance.random() < 0.5
    ts = 1_780_000_000_000
    history: list[Any] = []
    for number in range(chance.randint(0, 40)):
        ts += chance.choice((0, 1, 5 * MINUTE, HALF_AN_HOUR - 1, HALF_AN_HOUR, 31 * MINUTE, DAY))
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts, "user_id": "u1"}
        kind, order_id = chance.randrange(12), f"o{chance.randrange(3)}"
        if kind < 4:
            visit = with_sessions and chance.random() < 0.5
            history.append(
                events.SessionStarted(**about) if visit else events.ProductViewed(sku="k1", **about)
            )
        elif kind < 7:
            history.append(events.StoreUnfollowed(**about))
        elif kind < 9:
            history.append(events.StoreFollowed(**about))
        elif kind == 9 and not any(getattr(e, "order_id", "") == order_id for e in history):
            history.append(events.OrderPlaced(order_id=order_id, lines=LINES, total=1, **about))
        elif kind == 10:
            history.append(events.OrderPaid(order_id=order_id, **about))
        elif kind == 11:
            history.append(events.OrderCancelled(order_id=order_id, **about))
    return history


def visits_begun(known: list[Any]) -> list[int]:
    sessions = sorted(e.ts for e in known if isinstance(e, events.SessionStarted))
    if sessions:
        return sessions[-5:]
    no_visits = (events.OrderPaid, events.OrderCancelled)
    signs = sorted(e.ts for e in known if not isinstance(e, no_visits))
    begun = [ts for at, ts in enumerate(signs) if at == 0 or ts - signs[at - 1] >= HALF_AN_HOUR]
    return begun[-5:]


def last_order_at(known: list[Any]) -> int:
    times = [-1]
    for placed in [e for e in known if isinstance(e, events.OrderPlaced)]:
        steps = [e for e in known if getattr(e, "order_id", "") == placed.order_id]
        if not any(isinstance(e, events.OrderCancelled) for e in steps):
            times += [placed.ts, *[e.ts for e in steps if isinstance(e, events.OrderPaid)][:1]]
    return max(times)


def expected(arrivals: list[Arrival], visits: int, lateness: int) -> list[Told]:
    known: list[Any] = []
    said: list[Told] = []
    for at, event in arrivals:
        if any(e.event_id == event.event_id for e in known):
            continue
        known.append(event)
        if not isinstance(event, events.StoreUnfollowed) or event.ts < at - lateness:
            continue
        followed_at = max((e.ts for e in known if isinstance(e, events.StoreFollowed)), default=-1)
        if followed_at >= event.ts or any(t.due > followed_at for t in said):
            continue
        if sum(last_order_at(known) < begun <= event.ts for begun in visits_begun(known)) >= visits:
            said.append(Told("u1", 1, event.event_id, event.ts))
    return said


@given(st.integers(0, 2**32), st.integers(1, 5), st.sampled_from((10 * MINUTE, 60 * MINUTE)))
@example(4183, 5, 60 * MINUTE)  # what came late makes one visit of two that were remembered
def test_what_is_told_is_what_the_whole_history_shows(seed: int, visits: int, lateness: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, histories(chance), most_late=25 * MINUTE)
    actual = told("unfollow_retention", {"visits": visits}, arrivals, lateness=lateness)
    assert actual == expected(arrivals, visits, lateness)
