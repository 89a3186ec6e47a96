"""What did this user do lately? Counts by day and hour, last seen, what was looked at."""

from __future__ import annotations

from msgspec import Struct, field

from state import visits
from state.calendar import DAY, HOUR, Days, latest
from state.viewed import Viewed

KEPT_DAYS = 32  # the 30-day window, its partial first day, and today
KEPT_HOURS = 49
PLATFORMS_LIMIT = 8
CATEGORIES_LIMIT = 16

_SPAN = 1 << 21
Flat = tuple[int, ...]

VIEWS, SESSIONS, SEARCHES = 1, _SPAN, _SPAN**2  # one of each kind, as the packed counts hold it


class Activity(Struct, array_like=True, gc=False):
    """Counts are packed: one integer a day or hour holds views + sessions * 2**21 + searches * 2**42.

    Flat and few, as every event unpacks, changes and packs this: the newest day and hour in fields of their own, the
    earlier ones as slot, counts, slot, counts, ... ascending; so the platform of the last visit.
    """

    day: int = -1
    on_day: int = 0
    hour: int = -1
    in_hour: int = 0
    earlier_days: Flat = ()
    earlier_hours: Flat = ()
    last_visit_at: int | None = None
    visits_since_order: int = 0
    platform: str | None = None
    platform_at: int = -1
    other_platforms: dict[str, int] | None = None
    viewed: Viewed = field(default_factory=Viewed)
    categories: dict[str, int] = {}
    sessions: tuple[int, ...] = ()  # when the last ones began
    visits: visits.Visits = ()  # the last ones, while no session is known

    @property
    def by_day(self) -> dict[int, int]:
        """Packed counts of the days that had any."""
        return _slots(self.earlier_days, self.day, self.on_day)

    @property
    def by_hour(self) -> dict[int, int]:
        return _slots(self.earlier_hours, self.hour, self.in_hour)

    @property
    def seen_on(self) -> dict[str, int]:
        """When last on which platform."""
        last = {} if self.platform is None else {self.platform: self.platform_at}
        return last if self.other_platforms is None else {**self.other_platforms, **last}

    def view(
        self, ts: int, sku: str, category: str | None, price: int | None, days: Days, since: int = -1
    ) -> bool:
        """Count one product view; True when the SKU begins (or, a day later, begins again) to be watched.

        `since`: of a SKU not among the viewed ones, when it was last in the cart.
        """
        if ts // HOUR == self.hour and days.of(ts) == self.day:
            self.in_hour += VIEWS
            self.on_day += VIEWS
        else:
            self._count(VIEWS, ts, days)
        if category is not None:
            categories = self.categories
            if category in categories:
                categories[category] += 1
            else:
                self.like(category)
        return self.viewed.look(ts, sku, price, since)

    def session(self, ts: int, days: Days) -> None:
        self._count(SESSIONS, ts, days)
        self.visits_since_order += 1
        self.sessions = tuple(sorted((*self.sessions, ts)))[-visits.VISITS_LIMIT :]
        self.visits = ()

    def search(self, ts: int, days: Days) -> None:
        self._count(SEARCHES, ts, days)

    def like(self, category: str) -> None:
        """Affinity: how often the user came near a category; the least liked half makes room."""
        categories = self.categories
        if category in categories:
            categories[category] += 1
            return
        if len(categories) >= CATEGORIES_LIMIT:
            for least in sorted(categories, key=categories.__getitem__)[: CATEGORIES_LIMIT // 2]:
                del categories[least]
        categories[category] = 1

    def visit(self, ts: int, platform: str | None) -> None:
        """Never moves a last-seen time backwards."""
        last = self.last_visit_at
        if last is not None and last <= ts < last + visits.SILENCE:  # most often the visit just goes on
            self.last_visit_at = ts
        else:
            if not self.sessions:
                self.visits = visits.note(self.visits, ts, last)
            self.last_visit_at = latest(last, ts)
        if platform is not None:
            if platform != self.platform:
                self._see_on({platform: ts})
            elif ts > self.platform_at:
                self.platform_at = ts

    def unite(self, other: Activity) -> None:
        """Two ids are one person: counts add up, of what is remembered the latest stays.

        Except `visits_since_order`, for which one must know the orders (identity.py).
        """
        self.day, self.on_day, self.earlier_days = _sum(self.by_day, other.by_day, KEPT_DAYS)
        self.hour, self.in_hour, self.earlier_hours = _sum(self.by_hour, other.by_hour, KEPT_HOURS)
        self.sessions = tuple(sorted((*self.sessions, *other.sessions)))[-visits.VISITS_LIMIT :]
        self.visits = (
            ()
            if self.sessions
            else visits.unite(self.visits, self.last_visit_at, other.visits, other.last_visit_at)
        )
        self.last_visit_at = latest(self.last_visit_at, other.last_visit_at)
        self._see_on(other.seen_on)
        for category, times in other.categories.items():
            self.categories[category] = self.categories.get(category, 0) + times
        self.categories = _greatest(self.categories, CATEGORIES_LIMIT)
        self.viewed.unite(other.viewed)

    def visits_between(self, after: int, until: int) -> int:
        """How many of the last `VISITS_LIMIT` visits began then, counted by sessions where there are any."""
        begun = self.sessions or self.visits[::2][-visits.VISITS_LIMIT :]
        return sum(after < at <= until for at in begun)

    def sessions_after(self, ts: int, days: Days) -> int:
        """On the days after that of `ts`."""
        day = days.of(ts)
        return sum(packed // SESSIONS % _SPAN for slot, packed in self.by_day.items() if slot > day)

    def in_days(self, kind: int, now: int, width_days: int, days: Days) -> int:
        """How many of `kind` (VIEWS, ...) in the window of `width_days` at `now` (rfm.py says what a window is)."""
        return _within(self.by_day, kind, days.of(now - width_days * DAY), days.of(now))

    def in_hours(self, kind: int, now: int, width_hours: int) -> int:
        return _within(self.by_hour, kind, (now - width_hours * HOUR) // HOUR, now // HOUR)

    def _count(self, kind: int, ts: int, days: Days) -> None:
        day, hour = days.of(ts), ts // HOUR
        if day == self.day:
            self.on_day += kind
        elif day > self.day:
            self.earlier_days = _before(day - KEPT_DAYS, self.earlier_days, self.day, self.on_day)
            self.day, self.on_day = day, kind
        else:
            self.day, self.on_day, self.earlier_days = _sum(self.by_day, {day: kind}, KEPT_DAYS)
        if hour == self.hour:
            self.in_hour += kind
        elif hour > self.hour:
            self.earlier_hours = _before(hour - KEPT_HOURS, self.earlier_hours, self.hour, self.in_hour)
            self.hour, self.in_hour = hour, kind
        else:
            self.hour, self.in_hour, self.earlier_hours = _sum(self.by_hour, {hour: kind}, KEPT_HOURS)

    def _see_on(self, platforms: dict[str, int]) -> None:
        seen_on = self.seen_on
        for platform, ts in platforms.items():
            seen_on[platform] = max(ts, seen_on.get(platform, -1))
        seen_on = _greatest(seen_on, PLATFORMS_LIMIT)
        if seen_on:
            self.platform = max(seen_on, key=lambda name: (seen_on[name], name))
            self.platform_at = seen_on.pop(self.platform)
            self.other_platforms = seen_on or None


def _greatest(numbers: dict[str, int], limit: int) -> dict[str, int]:
    """The `limit` names with the greatest numbers, in the order they are in."""
    if len(numbers) <= limit:
        return numbers
    kept = sorted(numbers, key=lambda name: (-numbers[name], name))[:limit]
    return {name: number for name, number in numbers.items() if name in kept}


def _within(buckets: dict[int, int], kind: int, first: int, last: int) -> int:
    return sum(packed // kind % _SPAN for slot, packed in buckets.items() if first <= slot <= last)


def _slots(earlier: Flat, newest: int, counts: int) -> dict[int, int]:
    found = dict(zip(earlier[::2], earlier[1::2], strict=True))
    if newest >= 0:
        found[newest] = counts
    return found


def _before(gone: int, earlier: Flat, newest: int, counts: int) -> Flat:
    """All slots after `gone`, when a newer one begins."""
    flat = (*earlier, newest, counts) if newest >= 0 else ()
    first = 0
    while first < len(flat) and flat[first] <= gone:
        first += 2
    return flat[first:]


def _sum(own: dict[int, int], more: dict[int, int], kept: int) -> tuple[int, int, Flat]:
    """The newest slot, its counts, and those of the `kept` - 1 slots before it."""
    for slot, counts in more.items():
        own[slot] = own.get(slot, 0) + counts
    newest = max(own, default=-1)
    earlier = sorted(each for each in own.items() if newest - kept < each[0] < newest)
    return newest, own.get(newest, 0), tuple(number for each in earlier for number in each)
