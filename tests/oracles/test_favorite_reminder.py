"""Is each favourite spoken of once, if it is one still and was not bought? By the marks of the whole history."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import HOUR, MINUTE
from tests.oracles.kit import Arrival, Told, scattered, told
from tests.state.history import START, USER

SKUS = ("k1", "k2", "k3")
DELAY = 2 * HOUR


def _history(chance: Random) -> list[Any]:
    """No two events of one time; after a removal no mark of that SKU so soon that it could be read before it."""
    ts, history, orders = START, list[Any](), list[str]()
    removed: dict[str, int] = {}
    for number in range(chance.randrange(2, 50)):
        ts += chance.choice((1, MINUTE, 10 * MINUTE, HOUR, DELAY))
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts, "user_id": USER}
        sku = chance.choice(SKUS)
        kind = chance.choice("fffuoc")
        if kind == "f" and ts - removed.get(sku, -HOUR) > 31 * MINUTE:
            history.append(events.Favorited(**about, sku=sku))
        elif kind == "u":
            removed[sku] = ts
            history.append(events.Unfavorited(**about, sku=sku))
        elif kind == "o":
            orders.append(f"o{number}")
            lines = (events.Line(sku=sku, quantity=1),)
            history.append(events.OrderPlaced(**about, order_id=f"o{number}", lines=lines, total=1))
        elif kind == "c" and orders:
            history.append(events.OrderCancelled(**about, order_id=chance.choice(orders)))
    return history


def _first_mark(read: list[Any], sku: str) -> int | None:
    """Since when the SKU is a favourite, by what has been read."""
    since = None
    marks = [e for e in read if isinstance(e, events.Favorited | events.Unfavorited) and e.sku == sku]
    for e in sorted(marks, key=lambda e: e.ts):
        if isinstance(e, events.Unfavorited):
            since = None
        elif since is None:
            since = e.ts
    return since


def _was_bought(read: list[Any], sku: str, since: int) -> bool:
    cancelled = {e.order_id for e in read if isinstance(e, events.OrderCancelled)}
    placed = [e for e in read if isinstance(e, events.OrderPlaced) and e.order_id not in cancelled]
    return any(e.lines[0].sku == sku and e.ts >= since for e in placed)


def _expected(arrivals: list[Arrival]) -> list[Told]:
    found: list[Told] = []
    settled: set[tuple[str, int]] = set()
    read: list[Any] = []
    for arrival in [*arrivals, None]:
        for sku in SKUS:
            since = _first_mark(read, sku)
            if since is None or (sku, since) in settled:
                continue
            if arrival is None or since + DELAY < arrival.at:
                settled.add((sku, since))
                if not _was_bought(read, sku, since):
                    found.append(Told(USER, 1, f"{sku}:{since}", since + DELAY, (sku,)))
        if arrival is not None:
            read.append(arrival.event)
    return found


@given(st.integers(0, 2**32))
def test_which_favourites_are_spoken_of(seed: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, _history(chance))
    found = told("favorite_reminder", {"delay": "2h"}, arrivals)
    assert sorted(found) == sorted(_expected(arrivals))
