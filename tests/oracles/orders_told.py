"""What do the events of orders, read so far, say of each order? For the oracles of what follows a purchase.

A random story of orders, and a walk through its arrivals that asks a plain function what is waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any, NamedTuple

from msgspec import Struct

from state import events
from state.calendar import DAY, HOUR, MINUTE
from tests.oracles.kit import Arrival, Told
from tests.state.history import START, USER

STEPS = (MINUTE, HOUR, 7 * HOUR, DAY, 2 * DAY, 5 * DAY, 9 * DAY)


class Known(Struct):
    """One order; `lines` are (SKU, category, pieces)."""

    placed_at: int | None = None
    placed_by: str = ""
    lines: list[tuple[str, str | None, int]] = []
    total: int = 0
    paid_at: int | None = None
    delivered_at: int | None = None
    cancelled: bool = False
    money_back: int = 0
    refunds: int = 0
    back: dict[str, int] = {}

    def held(self) -> dict[str, str | None]:
        """SKUs with their category that are in the order and stay."""
        if self.cancelled or self.placed_at is None or (self.total and self.money_back >= self.total):
            return {}
        pieces: dict[str, int] = {}
        for sku, _, count in self.lines:
            pieces[sku] = pieces.get(sku, 0) + count
        return {sku: of for sku, of, _ in self.lines if pieces[sku] > self.back.get(sku, 0)}


class Waiting(NamedTuple):
    """Something that is to be told at `due`; `mark` is never told twice. None for `told`: only marked."""

    due: int
    mark: Any
    told: Told | None


def story(chance: Random, orders: int, categories: dict[str, str | None]) -> list[Any]:
    """Orders of a few SKUs; most are paid, many delivered, some cancelled or given back."""
    history: list[Any] = []
    ts = START
    for number in range(orders):
        ts += chance.choice(STEPS)
        about: dict[str, Any] = {"user_id": USER, "order_id": f"o{number}"}
        chosen = [chance.choice(sorted(categories)) for _ in range(chance.randint(1, 3))]
        lines = tuple(events.Line(sku=sku, quantity=1, category=categories[sku]) for sku in chosen)
        history.append(events.OrderPlaced(event_id=f"p{number}", ts=ts, lines=lines, total=100, **about))
        later: list[tuple[float, type, dict[str, Any]]] = [
            (0.85, events.OrderPaid, {}),
            (0.7, events.OrderDelivered, {}),
            (0.15, events.OrderCancelled, {}),
            (0.15, events.RefundIssued, {"amount": chance.choice((1, 100))}),
            (0.15, events.RefundIssued, {"amount": 1, "lines": lines[:1]}),
        ]
        at = ts
        for place, (share, kind, fields) in enumerate(later):
            at += chance.choice((0, MINUTE, HOUR, 30 * HOUR, 3 * DAY))
            if chance.random() < share:
                history.append(kind(event_id=f"{place}-{number}", ts=at, **about, **fields))
    return history


def tell(known: dict[str, Known], event: Any) -> None:
    order = known.setdefault(event.order_id, Known())
    if isinstance(event, events.OrderPlaced):
        order.placed_at, order.placed_by, order.total = event.ts, event.event_id, event.total
        order.lines = [(line.sku, line.category, line.quantity) for line in event.lines]
    elif isinstance(event, events.OrderPaid):
        order.paid_at = event.ts
    elif isinstance(event, events.OrderDelivered):
        order.delivered_at = event.ts
    elif isinstance(event, events.OrderCancelled):
        order.cancelled = True
    elif isinstance(event, events.RefundIssued):
        order.refunds += 1
        order.money_back += event.amount
        for line in event.lines or ():
            order.back[line.sku] = order.back.get(line.sku, 0) + line.quantity


def expected(
    arrivals: Sequence[Arrival],
    waiting: Callable[[dict[str, Known], set[Any], int], Iterable[Waiting]],
    *,
    at_once: bool = False,
) -> list[Told]:
    """Walk through the arrivals. What is due before one is read has been told by then; an event lets everything out
    that was due before it happened, and with `at_once` what is due as it happens.

    `waiting(known, marks, now)`: all that may be told, as things stand; `now` is -1 for what is due by time alone.
    """
    known: dict[str, Known] = {}
    read: set[str] = set()
    marks: set[Any] = set()
    found: list[Told] = []

    def let_out(before: int, now: int = -1) -> None:
        while True:
            due = [w for w in waiting(known, marks, now) if w.due < before]
            if not due:
                return
            first = min(due, key=lambda w: (w.due, repr(w.mark)))
            marks.add(first.mark)
            found.extend([first.told] if first.told is not None else [])

    for at, event in arrivals:
        let_out(at)
        if event.event_id not in read:
            read.add(event.event_id)
            tell(known, event)
            let_out(event.ts + (1 if at_once else 0), event.ts)
    let_out(1 << 60)
    return found
