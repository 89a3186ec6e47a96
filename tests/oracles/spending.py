"""What does a user spend, and what came of it by any moment? Random histories, and sums by brute force.

Shared by the oracles of tiers and milestones; nothing of the rules or of the state is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from state import events
from state.calendar import DAY, HOUR, MINUTE
from tests.oracles.kit import Arrival

START = 1_780_000_000_000 // DAY * DAY
_GAPS = (
    0,
    MINUTE,
    HOUR,
    DAY,
    5 * DAY,
    29 * DAY,
    30 * DAY,
    31 * DAY,
    200 * DAY,
    335 * DAY,
    366 * DAY,
    396 * DAY,
)
PURCHASES = (events.OrderPlaced, events.OrderPaid)


def spending(chance: Random, totals: Sequence[int]) -> list[Any]:
    """Orders of one user, most of them paid, some cancelled or partly given back, often at midnight sharp."""
    ts = START
    history: list[Any] = []
    for number in range(chance.randint(1, 12)):
        ts += chance.choice(_GAPS)
        if chance.random() < 0.4:
            ts = ts // DAY * DAY
        name, total = f"o{number}", chance.choice(totals)
        about: dict[str, Any] = {"user_id": "u1", "order_id": name}
        line = events.Line(sku="k1", quantity=1)
        history.append(
            events.OrderPlaced(event_id=f"{name}-placed", ts=ts, total=total, lines=(line,), **about)
        )
        paid_at = ts + chance.choice((0, 0, MINUTE, HOUR))
        if chance.random() < 0.9:
            history.append(events.OrderPaid(event_id=f"{name}-paid", ts=paid_at, **about))
        for part in range(chance.choice((0, 0, 0, 1, 2))):
            at, amount = (
                paid_at + chance.choice((MINUTE, DAY, 40 * DAY)),
                chance.choice((1, total // 2, total)),
            )
            history.append(
                events.RefundIssued(event_id=f"{name}-refund{part}", ts=at, amount=amount, **about)
            )
        if chance.random() < 0.1:
            at = paid_at + chance.choice((MINUTE, 3 * DAY))
            history.append(events.OrderCancelled(event_id=f"{name}-cancelled", ts=at, **about))
    return history


def once(arrivals: Sequence[Arrival]) -> Iterator[Arrival]:
    """Without what was sent twice."""
    known: set[str] = set()
    for arrival in arrivals:
        if arrival.event.event_id not in known:
            known.add(arrival.event.event_id)
            yield arrival


class Books:
    """What has been read so far."""

    def __init__(self) -> None:
        self.read: list[Any] = []
        self.asked_at = -1  # the latest event time read of the kinds that a rule is asked about

    def add(self, event: Any) -> str | None:
        """Read one event; the order that counts because of it."""
        before = self.counted()
        self.read.append(event)
        new = self.counted().keys() - before.keys()
        return new.pop() if new else None

    def counted(self) -> dict[str, tuple[int, int]]:
        """(when, how much) of each order that is placed, paid and not cancelled."""
        paid = {e.order_id: e.ts for e in self.read if isinstance(e, events.OrderPaid)}
        return {
            e.order_id: (paid[e.order_id], e.total)
            for e in self.read
            if isinstance(e, events.OrderPlaced)
            and e.order_id in paid
            and e.order_id not in self._cancelled()
        }

    def given_back(self) -> list[tuple[int, int, str]]:
        """(when, how much, of which order)."""
        refunds = [e for e in self.read if isinstance(e, events.RefundIssued)]
        return [(e.ts, e.amount, e.order_id) for e in refunds if e.order_id not in self._cancelled()]

    def window(self, now: int, days: int) -> tuple[int, int]:
        """(orders, net) from the start of the day of `now` less so many days."""
        start = (now - days * DAY) // DAY * DAY
        orders = [total for ts, total in self.counted().values() if ts >= start]
        return len(orders), sum(orders) - sum(amount for ts, amount, _ in self.given_back() if ts >= start)

    def moments(self, *widths: int) -> list[int]:
        """When a day with anything in it leaves a window of so many days."""
        days = {ts // DAY for ts, _ in self.counted().values()} | {
            ts // DAY for ts, _, _ in self.given_back()
        }
        return sorted({(day + 1 + width) * DAY for day in days for width in widths})

    def _cancelled(self) -> set[str]:
        return {e.order_id for e in self.read if isinstance(e, events.OrderCancelled)}
