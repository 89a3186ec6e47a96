"""What does one know who reads the orders one by one? Orders of a user, drawn, and remembered without the state."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec import Struct

from state import events
from state.calendar import DAY, HOUR, MINUTE

START = 1_790_000_000_000
PAUSES = (MINUTE, 11 * HOUR, DAY, 5 * DAY, 25 * DAY, 31 * DAY)


class Order(Struct):
    total: int = 0
    placed_at: int | None = None
    paid_at: int | None = None
    paid_event: str = ""
    cancelled: bool = False
    refunds: list[tuple[int, int]] = []

    @property
    def counts(self) -> bool:
        return self.placed_at is not None and self.paid_at is not None and not self.cancelled


class Ledger(Struct):
    """All that has been read of a user's orders."""

    orders: dict[str, Order] = {}

    def read(self, event: Any) -> None:
        order = self.orders.setdefault(event.order_id, Order())
        match event:
            case events.OrderPlaced():
                order.placed_at, order.total = event.ts, event.total
            case events.OrderPaid():
                order.paid_at, order.paid_event = event.ts, event.event_id
            case events.OrderCancelled():
                order.cancelled = True
            case events.RefundIssued():
                order.refunds.append((event.ts, event.amount))

    def paid(self) -> list[tuple[int, int, str]]:
        """(paid at, total, event) of each that counts, the last one last."""
        counted = [(o.paid_at, o.total, o.paid_event) for o in self.orders.values() if o.counts]
        return sorted((at, total, event) for at, total, event in counted if at is not None)

    def amounts(self) -> list[tuple[int, int]]:
        """(when, how much) of all money, what went back as negative."""
        back = [each for o in self.orders.values() if not o.cancelled for each in o.refunds]
        return [(at, total) for at, total, _ in self.paid()] + [(at, -amount) for at, amount in back]

    def flags(self, now: int) -> str | None:
        """Thresholds of tests/triggers/shop.py: R 30 days, F 3 orders in 90 days, M 1000 in 365 days of UTC."""
        paid = self.paid()
        if not paid:
            return None
        recent = now - paid[-1][0] < 30 * DAY
        often = sum(at // DAY >= (now - 90 * DAY) // DAY for at, _, _ in paid) >= 3
        much = sum(amount for at, amount in self.amounts() if at // DAY >= (now - 365 * DAY) // DAY) >= 1000
        return "".join("1" if flag else "0" for flag in (recent, often, much))


def shopping(chance: Random, *, at_most: int = 8) -> list[Any]:
    """Up to so many orders: placed, mostly paid, some cancelled or refunded."""
    ts = START
    history: list[Any] = []
    for number in range(chance.randrange(1, at_most + 1)):
        ts += chance.choice(PAUSES) + chance.randrange(MINUTE)
        about: dict[str, Any] = {"user_id": "u1", "order_id": f"o{number}"}
        line = (events.Line(sku="k1", quantity=1),)
        total = chance.choice((1, 300, 600, 1000))
        history.append(events.OrderPlaced(event_id=f"p{number}", ts=ts, lines=line, total=total, **about))
        if chance.random() < 0.85:
            paid_at = ts + chance.choice((1, MINUTE, 2 * DAY))
            history.append(events.OrderPaid(event_id=f"${number}", ts=paid_at, **about))
        if chance.random() < 0.2:
            gone_at = ts + chance.choice((2 * MINUTE, 20 * HOUR, 26 * HOUR, 33 * DAY))
            history.append(events.OrderCancelled(event_id=f"c{number}", ts=gone_at, **about))
        if chance.random() < 0.3:
            back_at = ts + chance.choice((HOUR, 26 * HOUR, 40 * DAY))
            history.append(
                events.RefundIssued(
                    event_id=f"r{number}", ts=back_at, amount=chance.choice((1, 300)), **about
                )
            )
    return history
