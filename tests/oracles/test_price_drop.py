"""Is everybody told, once, whose price has fallen far enough, and nobody else? By a walk through all that was read."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import DAY, HOUR, MINUTE
from tests.oracles.kit import Arrival, Told, scattered, told
from tests.state.history import START

USERS, SKUS = ("u1", "u2"), ("k1", "k2")
PRICES = (800, 810, 899, 900, 901, 950, 1000, 1001, 1100)
WATCHED_FOR = 2 * DAY


def _history(chance: Random) -> list[Any]:
    """No two events of one time; fewer prices of a SKU than an item remembers."""
    ts, history, orders = START, list[Any](), list[tuple[str, str]]()
    for number in range(chance.randrange(5, 45)):
        ts += chance.choice((1, MINUTE, 10 * MINUTE, HOUR, 12 * HOUR))
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts}
        sku = chance.choice(SKUS)
        kind = chance.choice("vvvfffuaarooc" + "p" * 9)
        if kind == "p":
            if sum(isinstance(e, events.PriceChanged) and e.sku == sku for e in history) < 14:
                history.append(events.PriceChanged(**about, sku=sku, price=chance.choice(PRICES)))
            continue
        about["user_id"] = chance.choice(USERS)
        if kind == "v":
            history.append(events.ProductViewed(**about, sku=sku, price=chance.choice((None, *PRICES))))
        elif kind in "fu":
            history.append((events.Favorited if kind == "f" else events.Unfavorited)(**about, sku=sku))
        elif kind == "a":
            history.append(events.CartItemAdded(**about, sku=sku, quantity=1, price=chance.choice(PRICES)))
        elif kind == "r":
            history.append(events.CartItemRemoved(**about, sku=sku))
        elif kind == "o":
            orders.append((f"o{number}", about["user_id"]))
            lines = (events.Line(sku=sku, quantity=1),)
            history.append(events.OrderPlaced(**about, order_id=f"o{number}", lines=lines, total=1))
        elif orders:
            about["order_id"], about["user_id"] = chance.choice(orders)
            history.append(events.OrderCancelled(**about))
    return history


class Reader:
    """Knows every event read so far, and computes everything from them each time it is asked."""

    def __init__(self, min_drop: str) -> None:
        self._keep = 1 - Fraction(min_drop)
        self._read: list[Any] = []
        self._prices: dict[str, list[tuple[int, int]]] = {sku: [] for sku in SKUS}
        self._newest: dict[str, int] = {}
        self._last_told: dict[tuple[str, str], int] = {}
        self.told: list[Told] = []

    def read(self, event: Any) -> None:
        if any(known.event_id == event.event_id for known in self._read):
            return
        self._read.append(event)
        if isinstance(event, events.PriceChanged) and event.ts > self._newest.get(event.sku, -1):
            self._newest[event.sku] = event.ts
            changes = self._prices[event.sku]
            before = changes[-1][1] if changes else None
            if event.price != before:
                changes.append((event.ts, event.price))
            if before is None or event.price < before:
                for user in USERS:
                    self._look(user, event)

    def _look(self, user: str, fall: events.PriceChanged) -> None:
        bought = self._bought(user, fall.sku)
        for since, price in self._known_prices(user, fall.sku, fall.ts):
            if since <= bought or since > fall.ts:
                continue
            if fall.price > self._keep * price:
                return
            before = self._last_told.get((user, fall.sku))
            if before is not None and not self._has_risen(fall.sku, before, price):
                return
            self._last_told[user, fall.sku] = fall.ts
            if bought < fall.ts:
                self.told.append(Told(user, 1, f"{fall.sku}:{fall.event_id}", fall.ts, (fall.sku,)))
            return

    def _has_risen(self, sku: str, since: int, price: int) -> bool:
        changes = self._prices[sku]
        return any(
            ts > since and new > self._keep * price and new > changes[place][1]
            for place, (ts, new) in enumerate(changes[1:])
        )

    def _known_prices(self, user: str, sku: str, now: int) -> list[tuple[int, int]]:
        """(since, price), best first."""
        found = []
        added = self._of(user, sku, events.CartItemAdded)
        out = [e.ts for e in self._of(user, sku, events.CartItemRemoved)] + self._orders(user, sku)
        if added and max(e.ts for e in added) > max(out, default=-1):
            last = max(added, key=lambda e: e.ts)
            found.append((last.ts, last.price))
        marks = self._of(user, sku, events.Favorited)
        unmarks = [e.ts for e in self._of(user, sku, events.Unfavorited)]
        if marks and max(e.ts for e in marks) > max(unmarks, default=-1):
            mark = max(marks, key=lambda e: e.ts)
            place = next(i for i, e in enumerate(self._read) if e is mark)
            seen = self._quoted(user, sku, self._read[:place])
            found.append((mark.ts, self._at(sku, mark.ts) if seen is None else seen))
        views = [e.ts for e in self._of(user, sku, events.ProductViewed)]
        if views and max(views) >= now - WATCHED_FOR:
            seen = self._quoted(user, sku, self._read)
            found.append((max(views), self._at(sku, max(views)) if seen is None else seen))
        return found

    def _quoted(self, user: str, sku: str, read: list[Any]) -> int | None:
        """Of the last view that told a price; a view older than one read before it tells nothing new."""
        latest, price = -1, None
        for e in read:
            if isinstance(e, events.ProductViewed) and (e.user_id, e.sku) == (user, sku) and e.ts > latest:
                latest, price = e.ts, price if e.price is None else e.price
        return price

    def _at(self, sku: str, ts: int) -> int:
        price = self._prices[sku][0][1]
        for since, changed in self._prices[sku]:
            if since <= ts:
                price = changed
        return price

    def _bought(self, user: str, sku: str) -> int:
        cancelled = {e.order_id for e in self._read if isinstance(e, events.OrderCancelled)}
        placed = [e for e in self._read if isinstance(e, events.OrderPlaced) and e.order_id not in cancelled]
        return max((e.ts for e in placed if e.user_id == user and e.lines[0].sku == sku), default=-1)

    def _orders(self, user: str, sku: str) -> list[int]:
        placed = [e for e in self._read if isinstance(e, events.OrderPlaced) and e.user_id == user]
        return [e.ts for e in placed if e.lines[0].sku == sku]

    def _of(self, user: str, sku: str, kind: Any) -> list[Any]:
        return [e for e in self._read if isinstance(e, kind) and (e.user_id, e.sku) == (user, sku)]


def _expected(arrivals: list[Arrival], min_drop: str) -> list[Told]:
    reader = Reader(min_drop)
    for arrival in arrivals:
        reader.read(arrival.event)
    return reader.told


@pytest.mark.parametrize("min_drop", ["0.1", "0.19"])
@given(st.integers(0, 2**32))
def test_who_is_told_of_which_fall(min_drop: str, seed: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, _history(chance))
    params = {"min_drop": float(min_drop), "watched_for": "2d"}
    assert sorted(told("price_drop", params, arrivals)) == sorted(_expected(arrivals, min_drop))
