"""How recently, how often, for how much did this user buy? Exact sums over rolling windows of day buckets.

A window of W days at `now` is [start of the day of (now - W), now]: up to a day longer than W, never
shorter (the "sawtooth" window of Chronon). Buckets add up in any order, so late events need no care.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from state.calendar import DAY, Days, earliest, latest

WINDOWS_DAYS = (7, 30, 90, 365)
GRACE_DAYS = 60  # a membership tier may outlast the year in which it was earned by so long, at most
KEPT_DAYS = WINDOWS_DAYS[-1] + GRACE_DAYS + 2  # the longest window, its partial first day, and today


class Rfm(Struct, array_like=True, gc=False):
    """Orders counted (see orders.count_on) and net minor units (paid minus refunded), by day and for life.

    `purchase_days`: on how many days. Of days that have left the buckets it is not known which they were: an order
    of such a day that comes, goes or moves here later is taken to be the only one of its day.
    """

    orders_by_day: dict[int, int] = {}
    net_by_day: dict[int, int] = {}
    orders: int = 0
    net_amount: int = 0
    first_order_at: int | None = None
    last_order_at: int | None = None
    purchase_days: int = 0

    def add_order(self, ts: int, amount: int, days: Days) -> None:
        self.orders += 1
        if self.first_order_at is None or ts < self.first_order_at:
            self.first_order_at = ts
        if self.last_order_at is None or ts > self.last_order_at:
            self.last_order_at = ts
        day = days.of(ts)
        if day not in self.orders_by_day:
            self.purchase_days += 1
        self._add(self.orders_by_day, day, 1)
        self.add_amount(ts, amount, days)

    def remove_order(self, ts: int, amount: int, days: Days) -> None:
        """Undo what an order has counted. Of a day that has left the buckets only the sums for life know it."""
        self.orders -= 1
        self.net_amount -= amount
        day = days.of(ts)
        if day in self.orders_by_day:
            self._add(self.orders_by_day, day, -1)
            self._add(self.net_by_day, day, -amount)
        if day not in self.orders_by_day:
            self.purchase_days = max(self.purchase_days - 1, 0)
        self.purchase_days = min(self.purchase_days, self.orders)

    def add_amount(self, ts: int, amount: int, days: Days) -> None:
        """A refund is a negative amount on the day of the refund."""
        self.net_amount += amount
        self._add(self.net_by_day, days.of(ts), amount)

    def unite(self, other: Rfm) -> None:
        """Two ids are one person: sums add up."""
        shared = self.orders_by_day.keys() & other.orders_by_day.keys()
        self.purchase_days += other.purchase_days - len(shared)
        for buckets, more in (
            (self.orders_by_day, other.orders_by_day),
            (self.net_by_day, other.net_by_day),
        ):
            for day, amount in more.items():
                self._add(buckets, day, amount)
        self.orders += other.orders
        self.net_amount += other.net_amount
        self.first_order_at = earliest(self.first_order_at, other.first_order_at)
        self.last_order_at = latest(self.last_order_at, other.last_order_at)

    def window(self, now: int, width_days: int, days: Days) -> tuple[int, int]:
        """(orders, net minor units) of the last `width_days` days."""
        first, last = days.of(now - width_days * DAY), days.of(now)
        return _between(self.orders_by_day, first, last), _between(self.net_by_day, first, last)

    def net_between(self, first_day: int, last_day: int) -> int:
        return _between(self.net_by_day, first_day, last_day)

    def leaving(self, now: int, width_days: int, days: Days) -> Iterator[tuple[int, int, int]]:
        """What time alone will do to a window: (when a day leaves it, orders and net minor units from then on)."""
        orders, net = self.window(now, width_days, days)
        first, last = days.of(now - width_days * DAY), days.of(now)
        for day in sorted(d for d in {*self.orders_by_day, *self.net_by_day} if first <= d <= last):
            orders -= self.orders_by_day.get(day, 0)
            net -= self.net_by_day.get(day, 0)
            yield days.start(day + 1) + width_days * DAY, orders, net

    @staticmethod
    def _add(buckets: dict[int, int], day: int, amount: int) -> None:
        if amount == 0:
            return
        if day in buckets:
            buckets[day] += amount
            if buckets[day] == 0:
                del buckets[day]
            return
        newest = max(buckets, default=day)
        if day <= newest - KEPT_DAYS:
            return  # older than every window; the lifetime sums already have it
        buckets[day] = amount
        if day > newest:
            for old in [d for d in buckets if d <= day - KEPT_DAYS]:
                del buckets[old]


def _between(buckets: dict[int, int], first: int, last: int) -> int:
    total = 0
    for day, amount in buckets.items():  # half the time of sum() over a generator
        if first <= day <= last:
            total += amount
    return total
