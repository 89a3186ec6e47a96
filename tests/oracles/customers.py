"""What may a customer do with orders, and what does a list of it say? Random lives, and a plain reading of them.

Unless asked to, no two events of a life happen at once: which of two payments is the last would be nobody's business.
"""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from state import events
from state.calendar import MINUTE

START = 1_780_000_000_000
ORDER_EVENTS = (events.OrderPlaced, events.OrderPaid, events.OrderCancelled)
LINES = (events.Line(sku="k1", quantity=1), events.Line(sku="k2", quantity=2))


class Order(NamedTuple):
    """An order that was placed and not cancelled; `paid` is None while it is not."""

    placed: events.OrderPlaced
    paid: events.OrderPaid | None


def lives(chance: Random, *, dues: tuple[int, ...], ties: bool = False) -> list[Any]:
    """Registrations, views, and orders placed, paid, cancelled; many at just about one of `dues` after another event.

    With `ties` some happen at once.
    """
    history: list[Any] = []
    for number in range(chance.randint(0, 30)):
        history.append(_event(chance, number, _moment(chance, history, dues, ties=ties), history))
    return history


def _moment(chance: Random, history: list[Any], dues: tuple[int, ...], *, ties: bool) -> int:
    now = history[-1].ts if history else START
    if ties and chance.random() < 0.3:
        return now
    if history and chance.random() < 0.4:
        ts: int = chance.choice(history[-6:]).ts + chance.choice(dues) + chance.choice((-1, 0, 1))
        if ts > now:
            return ts
    return now + chance.choice((1, MINUTE, 20 * MINUTE, min(dues) // 3, max(dues) // 2))


def _event(chance: Random, number: int, ts: int, history: list[Any]) -> Any:
    about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts, "user_id": "u1"}
    placed = [event.order_id for event in history if isinstance(event, events.OrderPlaced)]
    order_id = f"o{chance.randrange(6)}"
    kind = chance.randrange(10)
    if kind < 3:
        return events.OrderPlaced(order_id=order_id, lines=LINES, total=1, **about)
    if placed and chance.random() < 0.8:
        order_id = chance.choice(placed[-2:])
    if kind < 6:
        return events.OrderPaid(order_id=order_id, **about)
    if kind == 6:
        return events.OrderCancelled(order_id=order_id, **about)
    return events.Registered(**about) if kind == 7 else events.ProductViewed(sku="k1", **about)


def standing(known: list[Any]) -> dict[str, Order]:
    """By order id; of a step that was told twice the one that was read first."""
    steps = [e for e in reversed(known) if isinstance(e, ORDER_EVENTS)]
    placed = {e.order_id: e for e in steps if isinstance(e, events.OrderPlaced)}
    paid = {e.order_id: e for e in steps if isinstance(e, events.OrderPaid)}
    cancelled = {e.order_id for e in steps if isinstance(e, events.OrderCancelled)}
    return {key: Order(e, paid.get(key)) for key, e in placed.items() if key not in cancelled}


def payments(known: list[Any]) -> list[events.OrderPaid]:
    """Those of orders that count, in order of time."""
    paid = [order.paid for order in standing(known).values() if order.paid is not None]
    return sorted(paid, key=lambda payment: payment.ts)


def last_placed_at(known: list[Any]) -> int:
    return max((order.placed.ts for order in standing(known).values()), default=-1)
