"""What did this user do lately? Counts by day and hour, last seen, what was looked at."""

from __future__ import annotations

from msgspec import Struct

from state.calendar import DAY, HOUR, Days

KEPT_DAYS = 32  # the 30-day window, its partial first day, and today
KEPT_HOURS = 49
PLATFORMS_LIMIT = 8
RECENT_SKUS_LIMIT = 20
CATEGORIES_LIMIT = 16


class Viewed(Struct, array_like=True, gc=False):
    """One SKU lately looked at: when last, how often, and the price then (minor units)."""

    at: int
    times: int
    price: int | None


class Activity(Struct, array_like=True, gc=False):
    views_by_day: dict[int, int] = {}
    sessions_by_day: dict[int, int] = {}
    searches_by_day: dict[int, int] = {}
    views_by_hour: dict[int, int] = {}
    sessions_by_hour: dict[int, int] = {}
    searches_by_hour: dict[int, int] = {}
    last_visit_at: int | None = None
    visits_since_order: int = 0
    seen_on: dict[str, int] = {}
    viewed: dict[str, Viewed] = {}
    categories: dict[str, int] = {}

    def view(self, ts: int, sku: str, category: str | None, price: int | None, days: Days) -> bool:
        """Count one product view; True when the SKU begins (or, a day later, begins again) to be watched."""
        _count(self.views_by_day, days.of(ts), KEPT_DAYS)
        _count(self.views_by_hour, ts // HOUR, KEPT_HOURS)
        if category is not None:
            self.like(category)
        viewed = self.viewed  # the latest last, so that the first may go
        known = viewed.pop(sku, None)
        if known is None:
            viewed[sku] = Viewed(ts, 1, price)
            if len(viewed) > RECENT_SKUS_LIMIT:
                del viewed[next(iter(viewed))]
            return True
        viewed[sku] = known
        known.times += 1
        if ts < known.at:
            return False
        again = ts - known.at >= DAY
        known.at = ts
        if price is not None:
            known.price = price
        return again

    def session(self, ts: int, days: Days) -> None:
        _count(self.sessions_by_day, days.of(ts), KEPT_DAYS)
        _count(self.sessions_by_hour, ts // HOUR, KEPT_HOURS)
        self.visits_since_order += 1

    def search(self, ts: int, days: Days) -> None:
        _count(self.searches_by_day, days.of(ts), KEPT_DAYS)
        _count(self.searches_by_hour, ts // HOUR, KEPT_HOURS)

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
        if self.last_visit_at is None or ts > self.last_visit_at:
            self.last_visit_at = ts
        if platform is not None:
            seen_on = self.seen_on
            if ts > seen_on.get(platform, -1):
                if platform not in seen_on and len(seen_on) >= PLATFORMS_LIMIT:
                    del seen_on[min(seen_on, key=seen_on.__getitem__)]
                seen_on[platform] = ts


def in_days(buckets: dict[int, int], now: int, width_days: int, days: Days) -> int:
    """Sum of a by-day count over the window of `width_days` at `now` (rfm.py says what a window is)."""
    first, last = days.of(now - width_days * DAY), days.of(now)
    return sum(n for day, n in buckets.items() if first <= day <= last)


def in_hours(buckets: dict[int, int], now: int, width_hours: int) -> int:
    first, last = (now - width_hours * HOUR) // HOUR, now // HOUR
    return sum(n for hour, n in buckets.items() if first <= hour <= last)


def _count(buckets: dict[int, int], slot: int, kept: int) -> None:
    if slot in buckets:
        buckets[slot] += 1
        return
    newest = max(buckets, default=slot)
    if slot <= newest - kept:
        return
    buckets[slot] = 1
    if slot > newest and len(buckets) > 4:
        for old in [s for s in buckets if s <= slot - kept]:
            del buckets[old]
