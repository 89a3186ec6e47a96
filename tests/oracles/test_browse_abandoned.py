"""Is everybody told who looked again and again and left, and nobody else? By a list of the views that count."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import HOUR, MINUTE
from tests.oracles.kit import Arrival, Told, scattered, told
from tests.state.history import START, USER

CATEGORY_OF = {"k1": "tea", "k2": "tea", "k3": "cups"}
DELAY = 45 * MINUTE


def _history(chance: Random) -> list[Any]:
    """No two events of one time. Everything is looked at once in the beginning, so that nothing is new later."""
    ts, history = START, list[Any]()
    for number in range(chance.randrange(5, 50)):
        if number < 6:
            ts += 31 * MINUTE
        else:
            ts += chance.choice((1, MINUTE, 10 * MINUTE, 44 * MINUTE, DELAY, HOUR))
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts, "user_id": USER}
        sku = [*CATEGORY_OF][number] if number < 3 else chance.choice([*CATEGORY_OF])
        category = ("tea", "cups")[number - 3] if number in (3, 4) else CATEGORY_OF[sku]
        kind = "v" if number < 3 else "c" if number < 5 else chance.choice("vvvvvvcccarxo")
        if kind == "v":
            history.append(events.ProductViewed(**about, sku=sku, category=category))
        elif kind == "c":
            history.append(events.CategoryViewed(**about, category=category))
        elif kind == "a":
            history.append(events.CartItemAdded(**about, sku=sku, quantity=1, price=1, category=category))
        elif kind == "r":
            history.append(events.CartItemRemoved(**about, sku=sku))
        elif kind == "x":
            history.append(events.CartCleared(**about))
        else:
            lines = (events.Line(sku=sku, quantity=1, category=category),)
            history.append(events.OrderPlaced(**about, order_id=f"o{number}", lines=lines, total=1))
    return history


class Reader:
    """`views`: of each SKU and category those that count."""

    def __init__(self, min_views: int) -> None:
        self._min_views = min_views
        self._read: list[Any] = []
        things = [("sku", sku) for sku in CATEGORY_OF] + [("category", name) for name in ("tea", "cups")]
        self.views: dict[tuple[str, str], list[int]] = {thing: [] for thing in things}
        self._ended = dict.fromkeys(self.views, -1)
        self.told: list[Told] = []

    def read(self, event: Any) -> None:
        if any(known.event_id == event.event_id for known in self._read):
            return
        self._read.append(event)
        if isinstance(event, events.ProductViewed):
            self._view(("sku", event.sku), event.ts)
        if isinstance(event, events.CategoryViewed):
            self._view(("category", event.category), event.ts)
        if isinstance(event, events.CartItemAdded | events.OrderPlaced):
            sku = event.sku if isinstance(event, events.CartItemAdded) else event.lines[0].sku
            self._end(("sku", sku), event.ts)
            self._end(("category", CATEGORY_OF[sku]), event.ts)

    def pass_time(self, until: int) -> None:
        """Everything that is due before `until`."""
        while True:
            due = [
                (max(views) + DELAY, *thing)
                for thing, views in self.views.items()
                if len(views) >= self._min_views and max(views) + DELAY < until
            ]
            if not due:
                return
            at, kind, name = min(due)
            last = at - DELAY
            self._end((kind, name), at)
            if not self._in_cart(kind, name):
                skus = (name,) if kind == "sku" else ()
                self.told.append(Told(USER, 1, f"{kind}:{name}@{last}", at, skus))

    def _view(self, thing: tuple[str, str], ts: int) -> None:
        if ts > self._ended[thing]:
            self.views[thing].append(ts)

    def _end(self, thing: tuple[str, str], ts: int) -> None:
        """Of views known to be later than an end that is read late, the last one counts."""
        if ts > self._ended[thing]:
            self._ended[thing] = ts
            self.views[thing] = sorted(view for view in self.views[thing] if view > ts)[-1:]

    def _in_cart(self, kind: str, name: str) -> bool:
        return any(
            self._has(sku) for sku in CATEGORY_OF if name == (sku if kind == "sku" else CATEGORY_OF[sku])
        )

    def _has(self, sku: str) -> bool:
        added, out = [-1], [-1]
        for e in self._read:
            if isinstance(e, events.CartItemAdded) and e.sku == sku:
                added.append(e.ts)
            elif (
                isinstance(e, events.CartCleared)
                or (isinstance(e, events.CartItemRemoved) and e.sku == sku)
                or (isinstance(e, events.OrderPlaced) and e.lines[0].sku == sku)
            ):
                out.append(e.ts)
        return max(added) > max(out)


def _expected(arrivals: list[Arrival], min_views: int) -> list[Told]:
    reader = Reader(min_views)
    for arrival in arrivals:
        reader.pass_time(arrival.at)
        reader.read(arrival.event)
    reader.pass_time(1 << 60)
    return reader.told


@pytest.mark.parametrize("min_views", [1, 2, 3])
@given(st.integers(0, 2**32))
def test_who_is_told_of_what_was_looked_at_and_left(min_views: int, seed: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, _history(chance))
    found = told("browse_abandoned", {"delay": "45m", "min_views": min_views}, arrivals)
    assert sorted(found) == sorted(_expected(arrivals, min_views))
