"""Is the profile the documented shape, from real events, with null where nothing is known?"""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from state import events
from state.btyd import Fit, expected_orders
from state.calendar import DAY, HOUR, Days
from state.contact import Sent
from state.fold import apply
from state.profile import profile
from state.user import User
from state.value import SpendParams
from tests.triggers.shop import FOLD, PREDICT

NOON = 1_790_000_000_000 // DAY * DAY + 12 * HOUR  # 2026-09-21T12:00:00Z
UTC = Days("UTC")
AT_UTC = replace(FOLD, days=UTC)

NOTHING_KNOWN: dict[str, Any] = {
    "user_id": "u1",
    "as_of": "2026-09-21T12:00:00Z",
    "first_seen_at": None,
    "last_seen_at": None,
    "rfm": {
        "last_order_at": None,
        "orders": 0,
        "net_amount": 0,
        "windows": {width: {"orders": 0, "net_amount": 0} for width in ("7d", "30d", "90d", "365d")},
        "scores": {"r": None, "f": None, "m": None},
        "cuts_version": None,
        "flags": None,
        "segment": None,
        "group": None,
    },
    "activity": {"views_7d": 0, "views_30d": 0, "sessions_7d": 0, "sessions_30d": 0, "views_48h": 0},
    "cart": {"changed_at": None, "lines": []},
    "lifecycle": {"stage": None, "since": None},
    "membership": {"tier": None, "points": None},
    "tags": {
        "static": {"region": None, "registered_at": None},
        "dynamic": {
            "views_7d": 0,
            "searches_7d": 0,
            "visits_since_order": 0,
            "cart_categories": [],
            "spend_30d": 0,
            "checkin_streak_days": 0,
            "next_tier": None,
        },
        "preference": {
            "categories": [],
            "price_band": None,
            "piece_price": None,
            "discount_affinity": None,
            "channel": None,
        },
        "predictive": {"churn_risk": None, "replenishment": []},
    },
    "predictions": {
        "p_no_purchase_8w": None,
        "p_alive": None,
        "expected_orders_26w": None,
        "expected_value": None,
        "next_order_at": None,
        "lifetime_value_52w": None,
    },
    "consent": {},
    "recent_triggers": [],
    "aliases": [],
}


def after(*happened: events.UserEvent, days: Days = UTC) -> User:
    user = User.new("u1")
    params = replace(FOLD, days=days)
    for event in happened:
        apply(user, event, params)
    return user


def order(number: int, ts: int, total: int) -> tuple[events.UserEvent, ...]:
    name = f"o{number}"
    line = events.Line(sku=f"bought-{number}", quantity=1)
    return (
        events.OrderPlaced(event_id=f"{name}-placed", ts=ts, order_id=name, lines=(line,), total=total),
        events.OrderPaid(event_id=f"{name}-paid", ts=ts, order_id=name),
    )


def view(number: int, ts: int) -> events.UserEvent:
    return events.ProductViewed(event_id=f"v{number}", ts=ts, sku="k1")


def test_a_user_of_whom_nothing_is_known_is_all_null_and_zero() -> None:
    assert profile(User.new("u1"), NOON, AT_UTC) == NOTHING_KNOWN


def test_what_happened_is_there_in_the_documented_shape() -> None:
    user = after(
        *order(1, NOON - 100 * DAY, 5000),
        *order(2, NOON - 3 * DAY, 3998),
        events.RefundIssued(event_id="r1", ts=NOON - 2 * DAY, order_id="o1", amount=1000),
        events.SessionStarted(event_id="s1", ts=NOON - 10 * DAY),
        view(1, NOON - 10 * DAY),
        view(2, NOON - HOUR),
        events.CartItemAdded(event_id="c1", ts=NOON - 500, sku="k1", quantity=2, price=1999),
        events.ConsentChanged(event_id="y1", ts=NOON - DAY, channel="sms", granted=True),
        events.ConsentChanged(event_id="y2", ts=NOON - DAY, channel="email", granted=False),
    )
    user.lifecycle.stage, user.lifecycle.since = "returned", NOON - 3 * DAY
    tags = NOTHING_KNOWN["tags"]

    expected = NOTHING_KNOWN | {
        "first_seen_at": "2026-06-13T12:00:00Z",
        "last_seen_at": "2026-09-21T11:59:59.500Z",
        "rfm": NOTHING_KNOWN["rfm"]
        | {
            "last_order_at": "2026-09-18T12:00:00Z",
            "orders": 2,
            "net_amount": 7998,
            "windows": {
                "7d": {"orders": 1, "net_amount": 2998},
                "30d": {"orders": 1, "net_amount": 2998},
                "90d": {"orders": 1, "net_amount": 2998},
                "365d": {"orders": 2, "net_amount": 7998},
            },
            "flags": "101",
            "segment": "growing_high_value",
            "group": "potential",
        },
        "activity": {"views_7d": 1, "views_30d": 2, "sessions_7d": 0, "sessions_30d": 1, "views_48h": 1},
        "cart": {
            "changed_at": "2026-09-21T11:59:59.500Z",
            "lines": [{"sku": "k1", "quantity": 2, "price": 1999, "added_at": "2026-09-21T11:59:59.500Z"}],
        },
        "lifecycle": {"stage": "returned", "since": "2026-09-18T12:00:00Z"},
        "membership": {"tier": "silver", "points": None},
        "tags": tags
        | {
            "dynamic": tags["dynamic"]
            | {
                "views_7d": 1,
                "spend_30d": 2998,
                "next_tier": {"tier": "gold", "spend": 0, "orders": 1},
            },
            "preference": tags["preference"]
            | {"price_band": "middle", "piece_price": 4499, "discount_affinity": 0.0},
        },
        "consent": {"email": False, "sms": True},
    }
    assert profile(user, NOON, AT_UTC) == expected


def test_tier_and_points_are_there_once_known() -> None:
    user = after(
        events.PointsGranted(event_id="p1", ts=NOON - DAY, lot_id="l1", points=50, expires_at=NOON + 1),
        events.PointsGranted(event_id="p2", ts=NOON - DAY, lot_id="l2", points=9, expires_at=NOON),
        events.PointsSpent(event_id="p3", ts=NOON - HOUR, points=10),
    )
    assert profile(user, NOON - HOUR, AT_UTC)["membership"] == {"tier": None, "points": 49}
    assert profile(user, NOON + 1, AT_UTC)["membership"] == {"tier": None, "points": 0}


def test_stage_and_tier_are_those_of_the_moment_also_where_no_rule_has_looked() -> None:
    """What tier_changed and stage_changed have found is a memory; time goes on without them."""
    user = after(*order(1, NOON - 366 * DAY, 600), *order(2, NOON - 3 * DAY, 600))
    user.membership.tier, user.lifecycle.stage = "silver", "returned"
    user.lifecycle.since = NOON - 3 * DAY

    def told(days: int) -> tuple[str | None, str | None, bool]:
        found = profile(user, NOON + days * DAY, AT_UTC)
        return found["membership"]["tier"], found["lifecycle"]["stage"], found["lifecycle"]["since"] is None

    assert told(0) == ("silver", "returned", False)
    assert told(28) == ("silver", "declining", True)  # the year has one order; 30 days more keep the tier
    assert told(32) == ("regular", "declining", True)
    assert told(87) == ("regular", "churned", True)
    user.membership.tier = user.lifecycle.stage = None
    assert told(0)[:2] == ("regular", "returned")


def test_a_window_begins_with_its_first_day_in_the_shop_s_zone() -> None:
    """7 days before noon of the 21st in Shanghai is the 14th, which began at 16:00 UTC of the 13th."""
    shanghai = Days("Asia/Shanghai")
    at_shanghai = replace(FOLD, days=shanghai)
    begins = NOON - 7 * DAY - 20 * HOUR
    user = after(view(1, begins), view(2, begins - 1), days=shanghai)

    assert profile(user, NOON, at_shanghai)["activity"]["views_7d"] == 1
    assert profile(user, NOON + DAY, at_shanghai)["activity"]["views_7d"] == 0


def test_what_was_sent_is_listed_the_newest_first_with_what_came_back() -> None:
    user = User.new("u1")
    for sent in (
        Sent("id-1", "winback", 1, "sms", NOON - DAY, True),
        Sent("id-2", "stage_changed", 1, "", NOON, False),
        Sent("id-3", "winback", 2, "email", NOON, True),
    ):
        user.contact.note_sent(sent)
        user.replies.note(sent)
    for number, (kind, trigger_id) in enumerate(
        ((events.MessageDelivered, "id-1"), (events.MessageOpened, "id-3"), (events.MessageClicked, "id-9"))
    ):
        apply(user, kind(event_id=f"e{number}", ts=NOON, trigger_id=trigger_id, channel="sms"), FOLD)
    winback: dict[str, Any] = {"rule": "winback", "clicked": False}

    assert profile(user, NOON, AT_UTC)["recent_triggers"] == [
        winback | {"id": "id-3", "at": "2026-09-21T12:00:00Z", "channel": "email", "opened": True},
        {
            "id": "id-2",
            "rule": "stage_changed",
            "at": "2026-09-21T12:00:00Z",
            "channel": None,
            "opened": None,
            "clicked": None,
        },
        winback | {"id": "id-1", "at": "2026-09-20T12:00:00Z", "channel": "sms", "opened": False},
    ]


def test_reading_changes_nothing() -> None:
    user = after(*order(1, NOON, 100), view(1, NOON))
    before = repr(user)

    first, second = profile(user, NOON, AT_UTC), profile(user, NOON, AT_UTC)

    assert first == second
    assert repr(user) == before


def test_with_a_fitted_model_the_profile_predicts() -> None:
    cdnow = replace(PREDICT, model="mbg_nbd", r=0.524838, alpha=6.182992, a=0.891356, b=1.613999)
    user = after(*order(1, NOON - 300 * DAY, 100), *order(2, NOON - 100 * DAY, 200))

    told = profile(user, NOON, replace(AT_UTC, predict=cdnow))["predictions"]

    weeks = 6.182992 + 300 / 7
    alive = 1 / (1 + 0.891356 / 2.613999 * (weeks / (6.182992 + 200 / 7)) ** 1.524838)
    fit = Fit("mbg_nbd", 0.524838, 6.182992, 0.891356, 1.613999)
    assert told["p_alive"] == pytest.approx(alive)
    assert told["p_no_purchase_8w"] == pytest.approx(1 - alive * (1 - (weeks / (weeks + 8)) ** 1.524838))
    assert told["expected_orders_26w"] == pytest.approx(expected_orders(fit, 1, 200 / 7, 300 / 7, 26))
    assert told["expected_value"] is None
    assert told["lifetime_value_52w"] is None


def test_with_the_value_of_orders_fitted_it_is_that_of_the_repeat_ones_drawn_to_everybody_s() -> None:
    cdnow = replace(
        PREDICT,
        model="bg_nbd",
        r=0.242593,
        alpha=4.413532,
        a=0.792886,
        b=2.425753,
        spend=SpendParams(p=6.25, q=3.74, gamma=1544),
    )
    told: Mapping[str, Any] = profile(
        after(*order(1, NOON - 70 * DAY, 9900), *order(2, NOON - 10 * DAY, 2235)),
        NOON,
        replace(AT_UTC, predict=cdnow),
    )["predictions"]

    assert told["expected_value"] == round(6.25 * (1544 + 2235) / (6.25 + 2.74))
    assert 0 < told["lifetime_value_52w"] < 52 / 26 * told["expected_orders_26w"] * told["expected_value"]
    assert told["next_order_at"] > "2026-09-21T12:00:00Z"


def test_who_is_probably_lost_has_no_next_order() -> None:
    cdnow = replace(PREDICT, model="mbg_nbd", r=0.524838, alpha=6.182992, a=0.891356, b=1.613999)
    user = after(*order(1, NOON - 700 * DAY, 100), *order(2, NOON - 690 * DAY, 100))
    assert profile(user, NOON, replace(AT_UTC, predict=cdnow))["predictions"]["next_order_at"] is None
