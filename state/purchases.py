"""What has this user bought, how often, and when last?

By SKU and by category. A purchase is an order that counts (`orders.count_on`), at that time; two on one day are one
occasion. What is given back or cancelled was never bought.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping

from msgspec import Struct

from state.calendar import DAY, Days

BOUGHT_SKUS_LIMIT = 48
BOUGHT_CATEGORIES_LIMIT = 24
TIMES_LIMIT = 8  # the last purchases are known one by one, so that one of them can be taken back


class Bought(Struct, array_like=True, gc=False):
    """Purchases of one thing.

    `times` of the last ones, ascending; before them lie `earlier` purchase days, the first at `first_at`. Of two
    purchases older than `times` on one day nobody knows any more that it was one day.
    `told`: replenishment has spoken of the purchases up to this one. `category` of a SKU, as the latest order says.
    """

    times: list[int] = []
    earlier: int = 0
    first_at: int = -1
    told: int = -1
    category: str | None = None

    @property
    def last_at(self) -> int:
        return self.times[-1] if self.times else self.first_at

    def days_bought(self, days: Days) -> int:
        return self.earlier + len({days.of(at) for at in self.times})

    def gaps(self, days: Days) -> tuple[int, int]:
        """How many gaps there are between purchase days, and their sum in milliseconds of whole days."""
        on = [days.of(at) for at in self.times]
        count = self.earlier + len(set(on))
        if self.earlier:
            on.insert(0, days.of(self.first_at))
        return count - 1, (on[-1] - on[0]) * DAY

    def add(self, at: int, days: Days) -> None:
        insort(self.times, at)
        self._bound(days)

    def remove(self, at: int) -> bool:
        """Take one purchase back; True when none is left."""
        if at in self.times:
            self.times.remove(at)
        elif self.earlier:
            self.earlier -= 1
        return not self.times and not self.earlier

    def unite(self, other: Bought, days: Days) -> None:
        newer = other if other.last_at > self.last_at else self
        self.category = newer.category or self.category or other.category
        self.told = max(self.told, other.told)
        if other.earlier:
            self._note_earlier(other.first_at, other.earlier)
        self.times = sorted([*self.times, *other.times])
        self._bound(days)

    def _bound(self, days: Days) -> None:
        while len(self.times) > TIMES_LIMIT:
            oldest = self.times.pop(0)
            if days.of(oldest) != days.of(self.times[0]):
                self._note_earlier(oldest, 1)

    def _note_earlier(self, at: int, count: int) -> None:
        self.first_at = min(self.first_at, at) if self.earlier else at
        self.earlier += count


class Purchases(Struct, array_like=True, gc=False):
    """`skus` and `categories` with what is known of each; where there are too many, what was bought once goes first."""

    skus: dict[str, Bought] = {}
    categories: dict[str, Bought] = {}

    def change(
        self, before: Mapping[str, str | None], after: Mapping[str, str | None], at: int, days: Days
    ) -> None:
        """An order that counts at `at` held the SKUs of `before` (each with its category), now it holds `after`."""
        for sku in before.keys() - after.keys():
            _take_back(self.skus, sku, at)
        for sku, category in after.items():
            if sku not in before:
                bought = _place(self.skus, sku, BOUGHT_SKUS_LIMIT)
                if category is not None and (at >= bought.last_at or bought.category is None):
                    bought.category = category
                bought.add(at, days)
        had, has = _categories(before), _categories(after)
        for category in had - has:
            _take_back(self.categories, category, at)
        for category in sorted(has - had):
            _place(self.categories, category, BOUGHT_CATEGORIES_LIMIT).add(at, days)

    def last_of(self, category: str) -> list[str]:
        """The SKUs of this category that were bought last."""
        found = self.categories.get(category)
        if found is None:
            return []
        return sorted(
            sku for sku, b in self.skus.items() if b.category == category and b.last_at == found.last_at
        )

    def unite(self, other: Purchases, days: Days) -> None:
        """Two ids are one person. What both know of must have been taken out of one of them before."""
        for own, theirs, limit in (
            (self.skus, other.skus, BOUGHT_SKUS_LIMIT),
            (self.categories, other.categories, BOUGHT_CATEGORIES_LIMIT),
        ):
            for key, bought in theirs.items():
                if key in own:
                    own[key].unite(bought, days)
                else:
                    own[key] = bought
            while len(own) > limit:
                _make_room(own)


def _categories(held: Mapping[str, str | None]) -> set[str]:
    return {category for category in held.values() if category is not None}


def _place(shelf: dict[str, Bought], key: str, limit: int) -> Bought:
    bought = shelf.get(key)
    if bought is None:
        if len(shelf) >= limit:
            _make_room(shelf)
        bought = shelf[key] = Bought()
    return bought


def _take_back(shelf: dict[str, Bought], key: str, at: int) -> None:
    bought = shelf.get(key)
    if bought is not None and bought.remove(at):
        del shelf[key]


def _make_room(shelf: dict[str, Bought]) -> None:
    """What was bought once first, the oldest first: it says least of what will be bought again."""
    del shelf[
        min(shelf, key=lambda key: (len(shelf[key].times) + shelf[key].earlier > 1, shelf[key].last_at, key))
    ]
