"""What may a customer do with orders, and what does a list of it say? Random lives, and a plain reading of them.

No two events of a life happen at once: which of them is first would be nobody's business.
"""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from state import events
from state.calendar import DAY, HOUR, MINUTE

START = 1_780_000_000_000
ORDER_EVENTS = (events.OrderPlaced, events.OrderPaid, events.OrderCancelled)
LINES = (events.Line(sku="k1", quantity=1), events.Line(sku="k2", quantity=2))


class Order(NamedTuple):
    """An order that was placed and not cancelled; `paid` is None while it is not."""

    placed: events.OrderPlaced
    paid: events.OrderPaid | None


def lives(chance: Random, *, dues: tuple[int, ...]) -> list[Any]:
    """Registrations, views, and orders placed, paid, cancelled; gaps often bring them to just about one of `dues`."""
    about_due = [due + off for due in dues for off in (-HOUR, -MINUTE, -1, 0, 1, MINUTE)]
    ts, history = START, []
    for number in range(chance.randint(0, 30)):
        ts += chance.choice((1, MINUTE, 20 * MINUTE, HOUR, DAY, chance.choice(about_due), max(dues)))
        about = {"event_id": f"e{number}", "ts": ts, "user_id": "u1"}
        order_id, kind = f"o{chance.randrange(5)}", chance.randrange(10)
        if kind < 3:
            history.append(events.OrderPlaced(order_id=order_id, lines=LINES, total=1, **about))
        elif kind < 6:
            history.append(events.OrderPaid(order_id=order_id, **about))
        elif kind == 6:
            history.append(events.OrderCancelled(order_id=order_id, **about))
        elif kind == 7:
            history.append(events.Registered(**about))
        else:
            history.append(events.ProductViewed(sku="k1", **about))
    return history


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
