"""What would a batch over all orders say? Random orders as events, and the answer by brute force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from msgspec import Struct

from state import events
from state.calendar import DAY

NOW = 1_790_000_000_000
WIDTHS = (7, 30, 90, 365)
_TIMES = st.integers(NOW - 800 * DAY, NOW)


class Bought(Struct, frozen=True):
    """One order of the batch: when it was placed, paid and cancelled (None: never), and its refunds."""

    order_id: str
    placed_at: int
    paid_at: int | None
    cancelled_at: int | None
    total: int
    refunds: tuple[tuple[int, int], ...]

    def counted_at(self, count_on: str) -> int | None:
        if self.cancelled_at is not None:
            return None
        return self.placed_at if count_on == "placed" else self.paid_at


class Sums(Struct, frozen=True):
    orders: int
    net_amount: int
    first_order_at: int | None
    last_order_at: int | None
    windows: dict[int, tuple[int, int]]


@st.composite
def shopping(draw: st.DrawFn, *, at_most: int = 8) -> list[Bought]:
    """Orders with distinct times, so that first and last are beyond doubt."""
    count = draw(st.integers(0, at_most))
    times = draw(st.lists(_TIMES, min_size=count * 2, max_size=count * 2, unique=True))
    orders = []
    for number in range(count):
        refunds = draw(st.lists(st.tuples(_TIMES, st.integers(1, 500)), max_size=2))
        orders.append(
            Bought(
                order_id=f"o{number}",
                placed_at=times[2 * number],
                paid_at=times[2 * number + 1] if draw(st.booleans()) or number == 0 else None,
                cancelled_at=NOW if draw(st.integers(0, 3)) == 0 else None,
                total=draw(st.integers(0, 10_000)),
                refunds=tuple(refunds),
            )
        )
    return orders


def told(orders: list[Bought]) -> list[events.UserEvent]:
    """The events a shop sends about these orders."""
    sent: list[events.UserEvent] = []
    for order in orders:
        about: dict[str, Any] = {"user_id": "u1", "order_id": order.order_id}
        line = events.Line(sku=f"k-{order.order_id}", quantity=1)
        placed, name = order.placed_at, order.order_id
        sent.append(
            events.OrderPlaced(event_id=f"{name}p", ts=placed, lines=(line,), total=order.total, **about)
        )
        if order.paid_at is not None:
            sent.append(events.OrderPaid(event_id=f"{name}$", ts=order.paid_at, **about))
        if order.cancelled_at is not None:
            sent.append(events.OrderCancelled(event_id=f"{name}c", ts=order.cancelled_at, **about))
        for number, (ts, amount) in enumerate(order.refunds):
            sent.append(events.RefundIssued(event_id=f"{name}r{number}", ts=ts, amount=amount, **about))
    return sent


def batch(orders: list[Bought], count_on: str, zone: str) -> Sums:
    """Sorted lists and calendar dates, nothing shared with the code under test."""
    counted = sorted((ts, o.total) for o in orders if (ts := o.counted_at(count_on)) is not None)
    refunds = [refund for o in orders if o.cancelled_at is None for refund in o.refunds]
    windows = {}
    for width in WIDTHS:
        first = local_date(NOW - width * DAY, zone)
        in_window = [total for ts, total in counted if local_date(ts, zone) >= first]
        back = sum(amount for ts, amount in refunds if local_date(ts, zone) >= first)
        windows[width] = (len(in_window), sum(in_window) - back)
    return Sums(
        orders=len(counted),
        net_amount=sum(total for _, total in counted) - sum(amount for _, amount in refunds),
        first_order_at=counted[0][0] if counted else None,
        last_order_at=counted[-1][0] if counted else None,
        windows=windows,
    )


def local_date(ts: int, zone: str) -> Any:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ts)).astimezone(ZoneInfo(zone)).date()
