"""Is every cart that stays as it was told twice, and no cart that was touched or bought in time?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import HOUR, MINUTE
from tests.oracles.kit import Told, scattered, told
from tests.oracles.reader import Case, expected

DELAY, SECOND = HOUR, 5 * HOUR
CHANGES = (events.CartItemAdded, events.CartItemRemoved, events.CartCleared, events.OrderPlaced)


def histories(chance: Random) -> list[Any]:
    ts = 1_780_000_000_000
    history: list[Any] = []
    for number in range(chance.randint(0, 30)):
        ts += chance.choice((0, 1, MINUTE, 20 * MINUTE, DELAY - 1, DELAY, DELAY + 1, SECOND - DELAY, SECOND))
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts, "user_id": "u1"}
        sku, kind = f"k{chance.randrange(3)}", chance.randrange(12)
        if kind < 6:
            history.append(events.CartItemAdded(sku=sku, quantity=chance.randint(1, 3), price=1, **about))
        elif kind < 9:
            history.append(
                events.CartItemRemoved(sku=sku, quantity=chance.choice((None, None, 1, 2)), **about)
            )
        elif kind == 9:
            history.append(events.CartCleared(**about))
        else:
            lines = tuple(events.Line(sku=f"k{n}", quantity=1) for n in chance.sample(range(4), 2))
            history.append(events.OrderPlaced(order_id=f"o{number}", lines=lines, total=1, **about))
    return history


class Cart:
    """What is in it, piece by piece with the time it was put in; `taken`: when each SKU was last taken out."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, int]] = []
        self.taken: dict[str, int] = {}
        self.changed = (-1, "")

    def read(self, event: Any) -> None:
        ts = event.ts
        if isinstance(event, events.CartItemAdded):
            if ts >= max(self.taken.get(event.sku, -1), self.taken.get("all", -1)):
                self.pieces += [(event.sku, ts)] * event.quantity
                self.change(event)
        elif isinstance(event, events.CartItemRemoved):
            there = [at for sku, at in self.pieces if sku == event.sku]
            quantity: int = len(there) if event.quantity is None else event.quantity
            goes_whole = event.quantity is None or 0 < len(there) <= quantity
            if there and max(there) <= ts:
                if goes_whole:
                    self.pieces = [piece for piece in self.pieces if piece[0] != event.sku]
                else:
                    newest = max(there)
                    self.pieces = [piece for piece in self.pieces if piece[0] != event.sku]
                    self.pieces += [(event.sku, newest)] * (len(there) - quantity)
                self.change(event)
            elif event.quantity is not None:
                return
            if goes_whole:
                self.taken[event.sku] = max(ts, self.taken.get(event.sku, -1))
        elif isinstance(event, events.CartCleared):
            self.taken["all"] = max(ts, self.taken.get("all", -1))
            self.take({sku for sku, _ in self.pieces}, event)
        elif isinstance(event, events.OrderPlaced):
            skus = {line.sku for line in event.lines}
            self.taken.update({sku: max(ts, self.taken.get(sku, -1)) for sku in skus})
            self.take(skus, event)

    def take(self, skus: set[str], event: Any) -> None:
        """Whole lines that were there by then."""
        newer = {sku for sku, at in self.pieces if at > event.ts}
        left = [piece for piece in self.pieces if piece[0] not in skus or piece[0] in newer]
        if len(left) < len(self.pieces):
            self.pieces = left
            self.change(event)

    def change(self, event: Any) -> None:
        if event.ts >= self.changed[0]:
            self.changed = (event.ts, event.event_id)


def cases(known: list[Any], settled: dict[Any, Told], event: Any) -> list[Case]:
    cart = Cart()
    for each in known:
        cart.read(each)
    if not cart.pieces:
        return []
    since, anchor = cart.changed
    skus = tuple(sorted({sku for sku, _ in cart.pieces}))
    if (anchor, 1) not in settled:
        return [Case((anchor, 1), Told("u1", 1, anchor, since + DELAY, skus))]
    return [Case((anchor, 2), Told("u1", 2, anchor, since + SECOND, skus))]


@given(st.integers(0, 2**32), st.sampled_from((10 * MINUTE, 60 * MINUTE)))
def test_told_is_who_left_the_cart_as_it_was(seed: int, lateness: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, histories(chance))
    params = {"delay": "1h", "second_delay": "5h", "valid_for": "2h"}
    wanted = expected(arrivals, cases, CHANGES, valid_for=2 * HOUR, lateness=lateness)
    actual = told("cart_abandoned", params, arrivals, lateness=lateness)
    assert sorted(each._replace(skus=tuple(sorted(each.skus))) for each in actual) == wanted
