"""Are the tags what a user's history says, at any moment, also after long silence?"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state import events
from state.calendar import DAY, HOUR, Duration
from state.fold import apply
from state.profile import profile
from state.union import unite
from state.user import User
from tests.triggers.shop import FOLD, PREDICT, Usual

NOON = 1_790_000_000_000 // DAY * DAY + 12 * HOUR  # 2026-09-21T12:00:00Z


def after(*happened: Any, user_id: str = "u1") -> User:
    user = User.new(user_id)
    for event in happened:
        apply(user, event, FOLD)
    return user


def tags(user: User, now: int = NOON, **fold: Any) -> dict[str, Any]:
    found: dict[str, Any] = profile(user, now, replace(FOLD, **fold))["tags"]
    return found


def bought(
    name: str, ts: int, *skus: str, total: int = 100, quantity: int = 1, coupon: str | None = None
) -> tuple[Any, ...]:
    lines = tuple(events.Line(sku=sku, quantity=quantity) for sku in skus or ("k1",))
    placed = events.OrderPlaced(
        event_id=f"p{name}", ts=ts, order_id=name, lines=lines, total=total, coupon=coupon
    )
    return placed, events.OrderPaid(event_id=f"${name}", ts=ts, order_id=name)


def test_static_tags_are_those_told() -> None:
    user = after(
        events.Registered(event_id="r", ts=NOON - DAY),
        events.ProfileUpdated(event_id="u", ts=NOON, region="shanghai"),
    )
    assert tags(user)["static"] == {"region": "shanghai", "registered_at": "2026-09-20T12:00:00Z"}


@given(st.integers(0, 2**32), st.integers(0, 40))
def test_dynamic_tags_move_with_time_alone(seed: int, later: int) -> None:
    """Of one history, read so many days after its last event: what a list of it says."""
    chance = Random(seed)
    viewed = [NOON - chance.randrange(20 * DAY) for _ in range(chance.randrange(9))]
    searched = [NOON - chance.randrange(20 * DAY) for _ in range(chance.randrange(9))]
    orders = [(NOON - chance.randrange(60 * DAY), chance.randrange(1, 999)) for _ in range(4)]
    told = [
        *(events.ProductViewed(event_id=f"v{n}", ts=ts, sku="k") for n, ts in enumerate(viewed)),
        *(events.Searched(event_id=f"s{n}", ts=ts, query="q") for n, ts in enumerate(searched)),
        *(e for n, (ts, total) in enumerate(orders) for e in bought(f"o{n}", ts, total=total)),
    ]
    chance.shuffle(told)
    user, now = after(*told), NOON + later * DAY
    today = now // DAY

    found = tags(user, now)["dynamic"]

    assert found["views_7d"] == sum(today - ts // DAY <= 7 for ts in viewed)
    assert found["searches_7d"] == sum(today - ts // DAY <= 7 for ts in searched)
    assert found["spend_30d"] == sum(total for ts, total in orders if today - ts // DAY <= 30)


def test_categories_of_the_cart_are_those_in_it() -> None:
    about: dict[str, Any] = {"quantity": 1, "price": 1}
    add = [
        events.CartItemAdded(event_id=f"c{n}", ts=NOON + n, sku=f"k{n}", category=category, **about)
        for n, category in enumerate(("tea", "cups", None, "tea"))
    ]
    gone = [events.CartItemRemoved(event_id=f"g{n}", ts=NOON + 9, sku=f"k{n}") for n in (0, 1)]
    assert tags(after(*add))["dynamic"]["cart_categories"] == ["cups", "tea"]
    assert tags(after(*add, *gone))["dynamic"]["cart_categories"] == ["tea"]


@pytest.mark.parametrize(
    ("days_ago", "expected"), [([2, 1, 0], 3), ([2, 1], 2), ([3, 2], 0), ([4, 1, 0], 2), ([], 0)]
)
def test_a_check_in_streak_ends_with_a_day_without(days_ago: list[int], expected: int) -> None:
    user = after(*(events.CheckedIn(event_id=f"c{ago}", ts=NOON - ago * DAY) for ago in days_ago))
    assert tags(user)["dynamic"]["checkin_streak_days"] == expected


def test_visits_count_from_the_last_order_on() -> None:
    sessions = [events.SessionStarted(event_id=f"s{n}", ts=NOON - n * DAY) for n in range(1, 8)]
    for order_at, expected in ((NOON - 3 * DAY, 2), (NOON, 0), (NOON - 90 * DAY, 5)):
        user = after(*sessions, *bought("o1", order_at))
        assert tags(user)["dynamic"]["visits_since_order"] == expected


def test_the_next_tier_says_what_is_lacking_and_the_year_takes_it_back() -> None:
    user = after(*bought("o1", NOON - 300 * DAY, total=900), *bought("o2", NOON, total=300))
    assert tags(user)["dynamic"]["next_tier"] == {"tier": "gold", "spend": 3800, "orders": 1}
    assert tags(user, NOON + 66 * DAY)["dynamic"]["next_tier"] == {
        "tier": "silver",
        "spend": 700,
        "orders": 1,
    }
    assert tags(after(*bought("o1", NOON, total=99_999)))["dynamic"]["next_tier"]["tier"] == "silver"
    assert tags(User.new("u2"))["dynamic"]["next_tier"] is None


def test_liked_most_are_the_categories_she_came_near_most_often() -> None:
    looked = ["tea", "cups", "tea", "pots", "tea", "cups", "mats"]
    user = after(
        *(events.ProductViewed(event_id=f"v{n}", ts=NOON, sku="k", category=c) for n, c in enumerate(looked))
    )
    assert tags(user)["preference"]["categories"] == ["tea", "cups", "mats"]


def test_price_and_discount_are_of_the_orders_that_stand() -> None:
    history = [
        *bought("o1", NOON - 9 * DAY, "a", "b", total=4000, quantity=2, coupon="SPRING"),
        *bought("o2", NOON - 5 * DAY, "c", total=12_000),
        *bought("o3", NOON - DAY, "d", total=999_999, coupon="SPRING"),
        events.OrderCancelled(event_id="x", ts=NOON, order_id="o3"),
        bought("o4", NOON, "e", total=999_999, coupon="SPRING")[0],  # not paid, and so not counted
    ]
    found = tags(after(*history))["preference"]
    assert found["piece_price"] == 16_000 // 5
    assert found["price_band"] == "middle"
    assert found["discount_affinity"] == 0.5
    other = after(*history[:2], user_id="other")
    living = after(*history[2:])
    unite(living, other, FOLD)
    assert tags(living)["preference"] == found


@pytest.mark.parametrize(
    ("total", "band"), [(999, "low"), (1000, "middle"), (4999, "middle"), (5000, "high")]
)
def test_a_band_begins_at_its_number(total: int, band: str) -> None:
    assert tags(after(*bought("o1", NOON, total=total)))["preference"]["price_band"] == band


def test_the_channel_is_the_one_she_has_named_else_the_one_on_which_she_answers() -> None:
    clicked = [
        events.MessageClicked(event_id=f"c{n}", ts=NOON - n * DAY, trigger_id="t", channel=channel)
        for n, channel in enumerate(("sms", "email", "email", "push", "push", "push"))
    ]
    assert tags(after(*clicked))["preference"]["channel"] == "email"  # push is no channel of habits
    assert tags(after(*clicked), NOON + 95 * DAY)["preference"]["channel"] is None
    named = events.ProfileUpdated(event_id="u", ts=NOON, preferred_channels=("wechat", "sms"))
    assert tags(after(*clicked, named))["preference"]["channel"] == "wechat"


def test_what_is_expected_is_there_once_something_is_fitted() -> None:
    user = after(*bought("o1", NOON - 60 * DAY), *bought("o2", NOON - 30 * DAY))
    fitted = replace(PREDICT, model="mbg_nbd", r=0.524838, alpha=6.182992, a=0.891356, b=1.613999)
    told = [tags(user, NOON + later * DAY, predict=fitted)["predictive"]["churn_risk"] for later in (0, 600)]
    assert told == ["low", "high"]
    assert tags(user)["predictive"]["churn_risk"] is None


def test_what_she_will_have_used_up_next_is_named_until_it_is_overdue() -> None:
    user = after(*bought("o1", NOON - 60 * DAY, "k1"), *bought("o2", NOON - 30 * DAY, "k1", "k2"))
    usual = Usual(cycles={"k2": Duration(90 * DAY)})
    learned = replace(PREDICT, cycles={"k1": Duration(15 * DAY)})

    def told(later: int) -> list[tuple[str, str]]:
        found = tags(user, NOON + later * DAY, cycles=usual, predict=learned)["predictive"]["replenishment"]
        return [(each["item"], each["expected_at"][:10]) for each in found]

    # k1 was bought twice: her 30 days, shrunk towards the 15 of all. Of k2 only the configured cycle is known.
    assert told(0) == [("k1", "2026-09-11"), ("k2", "2026-11-20")]
    assert told(11) == [("k2", "2026-11-20")]
    assert told(200) == []
