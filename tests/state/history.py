"""What may happen to one user? Random histories over every event kind that the state folds."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, get_args

from hypothesis import strategies as st

from state import events
from state.calendar import DAY, MINUTE

START = 1_780_000_000_000
USER = "u1"

Fields = dict[str, Any]


class Choice:
    """Picks names among `variety` of each sort."""

    def __init__(self, chance: Random, variety: int) -> None:
        self.random = chance
        self._variety = variety

    def name(self, sort: str) -> str:
        return f"{sort}{self.random.randrange(self._variety)}"

    def sku(self) -> Fields:
        return {"sku": self.name("k")}

    def order(self) -> Fields:
        return {"order_id": self.name("o")}


def happening(chance: Random, number: int, ts: int, variety: int = 4) -> Any:
    """One event of a random kind; `variety` SKUs, orders, ... to choose from. Never an erasure."""
    kind, fields = chance.choice(_KINDS)
    about: Fields = {"event_id": f"e{number}", "ts": ts}
    if kind not in get_args(events.ItemEdge):
        about["user_id"] = USER
    return kind(**about, **fields(Choice(chance, variety)))


@st.composite
def histories(draw: st.DrawFn, *, at_most: int = 40) -> list[Any]:
    """Events within some days, mostly but not always in order of time; at most as many as the ring remembers."""
    chance = Random(draw(st.integers(0, 2**32)))
    ts, history = START, []
    for number in range(draw(st.integers(0, at_most))):
        ts += chance.choice((0, 1, MINUTE, 10 * MINUTE, DAY, -5 * MINUTE, 20 * DAY))
        history.append(happening(chance, number, max(ts, START)))
    return history


def _nothing(_: Choice) -> Fields:
    return {}


def _lines(c: Choice) -> tuple[events.Line, ...]:
    return tuple(events.Line(sku=c.name("k"), quantity=1, category="tea") for _ in range(2))


def _fall(c: Choice) -> Fields:
    price = c.random.choice((2, 3, 4, 5))
    return {
        "price": price,
        "prices": ((START, 9), (START + c.random.randrange(DAY), 6), (START + DAY, price)),
    }


_KINDS: tuple[tuple[type, Callable[[Choice], Fields]], ...] = (
    (
        events.ProductViewed,
        lambda c: {**c.sku(), "category": c.random.choice(("tea", "cups", None)), "price": 5},
    ),
    (events.ProductViewed, lambda c: {**c.sku(), "platform": c.name("p")}),
    (events.CategoryViewed, lambda c: {"category": c.name("c")}),
    (events.SessionStarted, _nothing),
    (events.Searched, lambda c: {"query": c.name("q")}),
    (events.CartItemAdded, lambda c: {**c.sku(), "quantity": c.random.randrange(1, 4), "price": 7}),
    (events.CartItemRemoved, lambda c: {**c.sku(), "quantity": c.random.choice((None, 1))}),
    (events.CartCleared, _nothing),
    (events.Favorited, Choice.sku),
    (events.Unfavorited, Choice.sku),
    (events.OrderPlaced, lambda c: {**c.order(), "lines": _lines(c), "total": c.random.randrange(999)}),
    (events.OrderPaid, Choice.order),
    (events.OrderCancelled, Choice.order),
    (events.OrderDelivered, Choice.order),
    (events.RefundIssued, lambda c: {**c.order(), "amount": 3}),
    (events.Registered, _nothing),
    (events.ProfileUpdated, lambda c: {"timezone": c.name("zone"), "preferred_channels": ("sms",)}),
    (events.ConsentChanged, lambda c: {"channel": "sms", "granted": c.random.random() < 0.7}),
    (events.Unsubscribed, lambda c: {"trigger_id": "t", "channel": c.name("ch")}),
    (events.StockEdge, lambda c: {**c.sku(), "edge": c.random.choice(("low", "back")), "available": 2}),
    (events.PriceEdge, lambda c: {**c.sku(), **_fall(c)}),
)
