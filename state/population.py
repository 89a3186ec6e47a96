"""Where are the fifths of all buyers? Counters of them by recency, frequency and money, exact under add and remove.

A user's values move, so a sketch that only takes in is wrong for them (science, section 5). Here each buyer is counted
once, in the buckets that her own state remembers (`Place`), and leaves those when she comes to others. Counters of
several shards add up. Recency is the day of the last order, frequency the orders of a life (the last bucket is open),
both exact; money is in logarithmic buckets, exact as long as these are narrower than a minor unit.

Buyers are counted by the month of their last order too, so that whoever has not bought for long leaves all counters
with the month, unasked.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate

from msgspec import Struct

from state.calendar import Days
from state.rfm import Rfm
from state.scores import Cuts, Four, cuts_with_version

ORDERS_OPEN = 1_000  # so many orders and more are one bucket
MONTH_DAYS = 30
_THOUSAND = 1_000

Cell = tuple[int, str, int]
"""(month, measure, bucket): what is counted. A measure is r, f or m."""


class Place(Struct, array_like=True, gc=False):
    """The buckets in which a user is counted: the day of the last order, orders, money.

    `count` tells one beginning of the counters from another: places of an earlier one are in none.
    """

    count: int
    day: int
    orders: int
    money: int

    @property
    def month(self) -> int:
        return self.day // MONTH_DAYS

    def cells(self) -> tuple[Cell, Cell, Cell]:
        month = self.month
        return (month, "r", self.day), (month, "f", self.orders), (month, "m", self.money)


class Scale:
    """How values become buckets; the top of a bucket of money is above its amounts by `money_error` of them at most."""

    def __init__(self, days: Days, money_error: float) -> None:
        self._days = days
        self._step = math.log1p(money_error)

    def place_of(self, rfm: Rfm | None, count: int) -> Place | None:
        """None for one who has no order that counts."""
        if rfm is None or rfm.orders <= 0 or rfm.last_order_at is None:
            return None
        orders = min(rfm.orders, ORDERS_OPEN)
        return Place(count, self._days.of(rfm.last_order_at), orders, self.bucket_of(rfm.net_amount))

    def bucket_of(self, amount: int) -> int:
        """The first bucket whose `top` is not below the amount; -1 for nothing, and for more refunded than paid."""
        if amount <= 0:
            return -1
        bucket = max(math.ceil(math.log(amount) / self._step), 0)
        while self.top(bucket) < amount:  # a logarithm may be off by its last bit
            bucket += 1
        while bucket > 0 and self.top(bucket - 1) >= amount:
            bucket -= 1
        return bucket

    def top(self, bucket: int) -> int:
        """The largest amount in it: what a cut point at this bucket is named by, so that it parts no bucket."""
        return 0 if bucket < 0 else math.floor(math.exp(bucket * self._step))


class Totals(Struct, array_like=True):
    """Buyers by bucket. `r`: by day of the last order, `f`: by orders, `m`: by bucket of money."""

    r: dict[int, int] = {}
    f: dict[int, int] = {}
    m: dict[int, int] = {}

    @property
    def buyers(self) -> int:
        return sum(self.f.values())

    @staticmethod
    def merged(many: Iterable[Totals]) -> Totals:
        whole = Totals()
        for each in many:
            for own, more in ((whole.r, each.r), (whole.f, each.f), (whole.m, each.m)):
                for bucket, buyers in more.items():
                    own[bucket] = own.get(bucket, 0) + buyers
        return whole


class Population:
    """The counters of one shard. `first_month`: earlier ones are over; nobody is counted in them any more.

    `touched`: the cells changed since the last `take`.
    """

    def __init__(self, cells: dict[Cell, int], first_month: int) -> None:
        self.cells = cells
        self.first_month = first_month
        self.totals = Totals()
        self._touched: set[Cell] = set()
        for (_, measure, bucket), buyers in cells.items():
            self._total(measure, bucket, buyers)

    @property
    def changed(self) -> bool:
        return bool(self._touched)

    def move(self, before: Place | None, after: Place | None) -> Place | None:
        """A buyer comes, changes or goes; answers with where she is counted now."""
        if before is not None and before.month >= self.first_month:
            for cell in before.cells():
                self._add(cell, -1)
        if after is None or after.month < self.first_month:
            return None
        for cell in after.cells():
            self._add(cell, 1)
        return after

    def expire(self, first_month: int) -> bool:
        """Let the months before go, with everybody whose last order lies there; False where nobody did."""
        if first_month <= self.first_month:
            return False
        self.first_month = first_month
        over = [cell for cell in self.cells if cell[0] < self.first_month]
        for cell in over:
            self._add(cell, -self.cells[cell])
        return bool(over)

    def take(self) -> dict[Cell, int]:
        """What the cells changed since the last time hold now; 0: nothing any more."""
        taken = {cell: self.cells.get(cell, 0) for cell in self._touched}
        self._touched = set()
        return taken

    def _add(self, cell: Cell, buyers: int) -> None:
        count = self.cells.get(cell, 0) + buyers
        if count:
            self.cells[cell] = count
        else:
            self.cells.pop(cell, None)
        self._touched.add(cell)
        self._total(cell[1], cell[2], buyers)

    def _total(self, measure: str, bucket: int, buyers: int) -> None:
        totals: dict[int, int] = getattr(self.totals, measure)
        count = totals.get(bucket, 0) + buyers
        if count:
            totals[bucket] = count
        else:
            totals.pop(bucket, None)


def cuts_of(totals: Totals, as_of: int, scale: Scale, *, good_score: int, keep_margin: float) -> Cuts:
    """The cut points of the fifths on the day `as_of`; there must be a buyer.

    `keep`: where those end who may stay good, so much of all buyers past the cut point where good begins.
    """
    good, margin = (good_score - 1) * 200, round(keep_margin * _THOUSAND)
    ages = _Ranked(totals.r, lambda day: as_of - day, reverse=True)
    orders = _Ranked(totals.f, lambda orders: orders)
    money = _Ranked(totals.m, scale.top)
    keep = (ages.cut(_THOUSAND - good + margin), orders.cut(good - margin), money.cut(good - margin))
    return cuts_with_version(ages.fifths(), orders.fifths(), money.fifths(), as_of, keep)


class _Ranked:
    """Buckets in the order of their values, and how many buyers are up to each."""

    def __init__(
        self, buyers: dict[int, int], value_of: Callable[[int], int], *, reverse: bool = False
    ) -> None:
        self._buckets = sorted(buyers, reverse=reverse)
        self._up_to = list(accumulate(map(buyers.__getitem__, self._buckets)))
        self._value_of = value_of

    def fifths(self) -> Four:
        return self.cut(200), self.cut(400), self.cut(600), self.cut(800)

    def cut(self, share: int) -> float:
        """Rule (b): the quantile of type 7 at `share` thousandths, plus one; whoever is below it is in the share."""
        below, part = divmod((self._up_to[-1] - 1) * share, _THOUSAND)
        low = self._value_at(below)
        return low + 1 if part == 0 else low + (self._value_at(below + 1) - low) * part / _THOUSAND + 1

    def _value_at(self, rank: int) -> int:
        return self._value_of(self._buckets[bisect_right(self._up_to, rank)])
