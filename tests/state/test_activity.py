"""Are views, sessions and searches counted as a list of them says, in any order?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.activity import (
    CATEGORIES_LIMIT,
    KEPT_DAYS,
    KEPT_HOURS,
    PLATFORMS_LIMIT,
    SEARCHES,
    SESSIONS,
    VIEWS,
    Activity,
)
from state.calendar import DAY, HOUR, Days
from state.fold import apply
from state.user import User
from state.viewed import RECENT_SKUS_LIMIT
from tests.state.orders_model import NOW, local_date
from tests.triggers.shop import FOLD

KINDS = (VIEWS, SESSIONS, SEARCHES)
ZONES = ("UTC", "Asia/Shanghai", "America/New_York")
_TIMES = st.lists(st.integers(NOW - 100 * DAY, NOW), max_size=60)


@pytest.mark.parametrize("zone", ZONES)
@given(times=_TIMES)
def test_counts_by_day_and_hour_equal_the_list(zone: str, times: list[int]) -> None:
    days, activity = Days(zone), Activity()
    for ts in times:
        activity.view(ts, "k1", None, None, days)
        activity.session(ts, days)
        activity.search(ts, days)
    for width in (7, 30):
        first = local_date(NOW - width * DAY, zone)
        expected = sum(local_date(ts, zone) >= first for ts in times)
        assert [activity.in_days(kind, NOW, width, days) for kind in KINDS] == [expected] * 3
    expected = sum(ts // HOUR >= (NOW - 48 * HOUR) // HOUR for ts in times)
    assert [activity.in_hours(kind, NOW, 48) for kind in KINDS] == [expected] * 3


@given(_TIMES, st.data())
def test_buckets_are_bounded_whatever_the_order(times: list[int], data: st.DataObject) -> None:
    activity = Activity()
    for ts in data.draw(st.permutations(times)):
        activity.view(ts, "k1", None, None, Days())
    assert len(activity.by_day) <= KEPT_DAYS
    assert len(activity.by_hour) <= KEPT_HOURS


@given(
    st.sets(st.integers(0, KEPT_DAYS + 4), max_size=KEPT_DAYS + 4), st.sets(st.integers(0, KEPT_HOURS + 4))
)
def test_the_same_is_kept_whether_events_come_in_order_or_the_latest_first(
    days: set[int], hours: set[int]
) -> None:
    times = sorted((*(NOW + day * DAY for day in days), *(NOW + hour * HOUR for hour in hours)))
    first, last = Activity(), Activity()
    for ts in times:
        first.view(ts, "k1", None, None, Days())
    for ts in reversed(times):
        last.view(ts, "k1", None, None, Days())
    assert first.by_day == last.by_day
    assert first.by_hour == last.by_hour


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(1, 99)), min_size=1, max_size=20, unique_by=lambda v: v[0]
    )
)
def test_a_sku_keeps_its_latest_view_and_the_price_then(views: list[tuple[int, int]]) -> None:
    activity = Activity()
    for ts, price in views:
        activity.view(ts, "k1", None, price, Days())
    latest = max(views)
    viewed = activity.viewed.get("k1")
    assert viewed is not None
    assert (viewed.at, viewed.times) == (latest[0], len(views))
    if views[-1] == latest or views[0] == latest:
        assert viewed.price == latest[1]


def test_the_skus_longest_unseen_make_room() -> None:
    activity = Activity()
    for n in range(RECENT_SKUS_LIMIT + 5):
        activity.view(n, f"k{n}", None, None, Days())
    assert activity.viewed.skus == [f"k{n}" for n in range(5, RECENT_SKUS_LIMIT + 5)]


def test_a_sku_is_watched_anew_at_its_first_view_and_then_daily() -> None:
    activity = Activity()
    seen = [activity.view(ts, "k1", None, None, Days()) for ts in (0, HOUR, HOUR + DAY, HOUR + DAY + 1)]
    assert seen == [True, False, True, False]


def test_the_least_liked_categories_make_room() -> None:
    activity = Activity()
    for n in range(CATEGORIES_LIMIT):
        for _ in range(n + 1):
            activity.like(f"c{n}")
    activity.like("new")
    most = {f"c{n}": n + 1 for n in range(CATEGORIES_LIMIT // 2, CATEGORIES_LIMIT)}
    assert activity.categories == {**most, "new": 1}


@given(
    st.lists(st.tuples(st.integers(0, 999), st.sampled_from(["app", "web", None])), min_size=1, max_size=20)
)
def test_last_seen_never_moves_back(visits: list[tuple[int, str | None]]) -> None:
    user = User.new("u1")
    for n, (ts, platform) in enumerate(visits):
        apply(
            user, events.Searched(event_id=f"e{n}", ts=ts, user_id="u1", platform=platform, query="q"), FOLD
        )
    times = [ts for ts, _ in visits]
    assert (user.first_seen_at, user.last_seen_at) == (min(times), max(times))
    assert user.activity.last_visit_at == max(times)
    platforms = {p for _, p in visits if p is not None}
    assert user.activity.seen_on == {p: max(ts for ts, q in visits if q == p) for p in platforms}


def test_platforms_are_bounded() -> None:
    activity = Activity()
    for n in range(PLATFORMS_LIMIT + 3):
        activity.visit(n, f"p{n}")
    assert len(activity.seen_on) == PLATFORMS_LIMIT
    assert "p0" not in activity.seen_on


def test_visits_since_the_last_purchase_begin_again_with_it() -> None:
    user = User.new("u1")
    line = events.Line(sku="k1", quantity=1)
    for n in range(3):
        apply(user, events.SessionStarted(event_id=f"s{n}", ts=n, user_id="u1"), FOLD)
    assert user.activity.visits_since_order == 3
    apply(
        user,
        events.OrderPlaced(event_id="p", ts=5, user_id="u1", order_id="o1", lines=(line,), total=1),
        FOLD,
    )
    apply(user, events.OrderPaid(event_id="$", ts=6, user_id="u1", order_id="o1"), FOLD)
    assert user.activity.visits_since_order == 0
