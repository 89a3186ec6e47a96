"""Does an episode that has begun go on by the settings it began with, and the next one by the new?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import DAY, HOUR, MINUTE
from tests.triggers.shop import FOREVER, Shop
from tests.triggers.succession import Rules, Succession
from triggers.trigger import Decision, Defer, Publish, Retract

T0 = 1_790_000_000_000  # 10:13 in UTC
OLD: Rules = {
    "cart_abandoned": {"delay": "1h", "second_delay": "24h", "second_offer": "old"},
    "first_order_nudge": {"delay": "24h", "offer": "old"},
    "winback": {"after": ["30d", "60d", "90d"], "step_offers": ["old", "old", "old"]},
    "welcome_pack": {"offer": "old", "coupon_valid_for": "7d", "reminder_after": "5d"},
}
NEW: Rules = {
    "cart_abandoned": {"delay": "3h", "second_delay": "4h", "second_offer": "new"},
    "first_order_nudge": {"delay": "2h", "offer": "new"},
    "winback": {"after": ["10d", "70d", "71d"], "step_offers": ["new", "new", "new"]},
    "welcome_pack": {"offer": "new", "coupon_valid_for": "9d", "reminder_after": "1d"},
}


def added(at: int, event_id: str, user: str = "u1") -> Any:
    return events.CartItemAdded(event_id=event_id, ts=T0 + at, user_id=user, sku="k1", quantity=1, price=100)


def consent(user: str = "u1") -> Any:
    return events.ConsentChanged(event_id=f"c-{user}", ts=T0, user_id=user, channel="app_push", granted=True)


def play(shop: Shop, *said: Any) -> None:
    for each in said:
        shop.take(each, each.ts)


def told(decisions: list[Decision]) -> list[tuple[str, int, int, str | None]]:
    return [(d.candidate.anchor, d.candidate.step, d.candidate.at - T0, d.candidate.offer) for d in decisions]


def test_a_cart_that_was_left_before_the_change_is_told_as_it_was_meant() -> None:
    plans = Succession()
    shop = Shop(plans.next({"cart_abandoned": OLD["cart_abandoned"]}))
    play(shop, added(0, "e1"))
    shop.replan(plans.next({"cart_abandoned": NEW["cart_abandoned"]}))
    shop.advance(T0 + 30 * HOUR)
    play(shop, added(40 * HOUR, "e2"))
    shop.advance(FOREVER)
    assert told(shop.decisions) == [
        ("e1", 1, 1 * HOUR, None),
        ("e1", 2, 24 * HOUR, "old"),
        ("e2", 1, 43 * HOUR, None),
        ("e2", 2, 44 * HOUR, "new"),
    ]
    assert len({d.inputs["stanza"] for d in shop.decisions}) == 2
    assert shop.user("u1").own_stanzas is None  # nothing is waited for


def test_a_change_of_the_cart_after_it_begins_anew() -> None:
    plans = Succession()
    shop = Shop(plans.next({"cart_abandoned": OLD["cart_abandoned"]}))
    play(shop, added(0, "e1"))
    shop.replan(plans.next({"cart_abandoned": NEW["cart_abandoned"]}))
    play(shop, added(MINUTE, "e2"))
    shop.advance(T0 + 3 * HOUR + 2 * MINUTE)
    assert told(shop.decisions) == [("e2", 1, 3 * HOUR + MINUTE, None)]


def test_changed_again_and_again_it_goes_on_by_its_own() -> None:
    plans = Succession()
    shop = Shop(plans.next({"cart_abandoned": OLD["cart_abandoned"]}))
    play(shop, added(0, "e1", "u1"))
    for number, delay in enumerate(("5h", "6h", "7h"), start=2):
        shop.replan(plans.next({"cart_abandoned": {"delay": delay, "second_delay": None}}))
        play(shop, added(number, f"e{number}", f"u{number}"))
    shop.advance(FOREVER)
    waited = {d.candidate.user_id: d.candidate.reason for d in shop.decisions if d.candidate.step == 1}
    assert [waited[f"u{n}"] for n in (1, 2, 3, 4)] == [f"cart untouched for {n} h" for n in (1, 5, 6, 7)]


@pytest.mark.parametrize(
    ("happened", "expected"),
    [(-HOUR, [("e1", 1, HOUR, None)]), (MINUTE, [("late", 1, 3 * HOUR + MINUTE, None)])],
)
def test_a_late_event_leaves_what_has_begun_or_begins_anew(happened: int, expected: list[Any]) -> None:
    """From before the cart was left, and from after that."""
    plans = Succession()
    shop = Shop(plans.next({"cart_abandoned": {"delay": "1h", "second_delay": None}}))
    play(shop, added(0, "e1"))
    shop.replan(plans.next({"cart_abandoned": {"delay": "3h", "second_delay": None}}))
    shop.take(added(happened, "late"), T0 + 30 * MINUTE)
    shop.advance(FOREVER)
    assert told(shop.decisions) == expected


def test_a_rule_that_is_switched_off_is_off_at_once() -> None:
    plans = Succession()
    shop = Shop(plans.next({"cart_abandoned": {}}))
    play(shop, added(0, "e1"))
    shop.replan(plans.next({}))
    shop.advance(FOREVER)
    assert shop.decisions == []


def test_what_was_deferred_is_released_by_its_own_settings() -> None:
    plans = Succession({})
    night = {"cart_abandoned": {"delay": "12h", "second_delay": None, "valid_for": "12h"}}
    shop = Shop(plans.next(night))
    play(shop, consent(), added(0, "e1"))
    shop.advance(T0 + 13 * HOUR)  # 22:13
    assert isinstance(shop.decisions[-1].outcome, Defer)
    shop.replan(plans.next({"cart_abandoned": {**night["cart_abandoned"], "valid_for": "1h"}}))
    shop.advance(FOREVER)
    assert isinstance(shop.decisions[-1].outcome, Publish)
    assert shop.decisions[0].inputs["stanza"] == shop.decisions[1].inputs["stanza"]


def test_what_was_sent_is_refuted_by_its_own_settings() -> None:
    """Touched 20 minutes before it was told: with the new delay that would have been before it was left."""
    plans = Succession()
    plans.next({"cart_abandoned": {"delay": "10m", "second_delay": None}})
    shop = Shop(plans.next({"cart_abandoned": {"delay": "1h", "second_delay": None}}), lateness=DAY)
    play(shop, added(0, "e1"))
    shop.advance(T0 + 2 * HOUR)
    shop.replan(plans.next({"cart_abandoned": {"delay": "10m", "second_delay": None}}))
    shop.take(added(40 * MINUTE, "e2"), T0 + 3 * HOUR)
    assert any(isinstance(d.outcome, Retract) for d in shop.decisions)


def test_a_birthday_is_told_by_the_newest_settings_however_long_ago_its_timer_was_set() -> None:
    plans = Succession()
    shop = Shop(plans.next({"birthday_upcoming": {"before": "1d", "offer": "old"}}))
    known = events.ProfileUpdated(event_id="p", ts=T0, user_id="u1", birthday="12-01")
    play(shop, known)
    shop.replan(plans.next({"birthday_upcoming": {"before": "5d", "offer": "new"}}))
    play(shop, events.SessionStarted(event_id="s", ts=T0 + HOUR, user_id="u1"))
    shop.advance(T0 + 120 * DAY)
    decided = shop.decisions[0]
    assert (decided.candidate.offer, decided.at) == ("new", decided.candidate.at)


def test_settings_that_nobody_knows_any_more_give_way_to_the_newest() -> None:
    plans = Succession()
    shop = Shop(plans.next({"cart_abandoned": {"delay": "1h", "second_delay": None}}))
    play(shop, added(0, "e1"))
    plans.kept.clear()
    shop.replan(plans.next({"cart_abandoned": {"delay": "3h", "second_delay": None}}))
    shop.advance(FOREVER)
    assert told(shop.decisions) == [("e1", 1, 3 * HOUR, None)]


# every episode by the settings of the moment at which it began

GAPS = [MINUTE, 50 * MINUTE, 5 * HOUR, 25 * HOUR, 9 * DAY, 35 * DAY, 75 * DAY]
KINDS = ["add", "add", "clear", "view", "order", "register"]


@st.composite
def histories(draw: st.DrawFn) -> list[Any]:
    steps = st.tuples(st.sampled_from(KINDS), st.sampled_from(["u1", "u2"]), st.sampled_from(GAPS))
    at, said = T0, []
    for number, (kind, user, gap) in enumerate(draw(st.lists(steps, min_size=1, max_size=14))):
        at += gap
        base: dict[str, Any] = {"event_id": f"e{number}", "ts": at, "user_id": user}
        if kind == "order":
            lines = (events.Line(sku="k1", quantity=1, price=100),)
            order = events.OrderPlaced(**base, order_id=f"o{number}", total=100, lines=lines)
            said += [
                order,
                events.OrderPaid(**{**base, "event_id": f"p{number}", "ts": at + 1}, order_id=f"o{number}"),
            ]
        else:
            said.append(_of(kind, base))
    return said


def _of(kind: str, base: dict[str, Any]) -> Any:
    if kind == "add":
        return events.CartItemAdded(**base, sku="k1", quantity=1, price=100)
    if kind == "clear":
        return events.CartCleared(**base)
    return events.ProductViewed(**base, sku="k2") if kind == "view" else events.Registered(**base)


def _played(
    history: list[Any], at: int | None, first: Rules
) -> dict[tuple[str, str, int], tuple[int, str, str | None]]:
    """What was told of each step; the rules change before event number `at`."""
    plans = Succession()
    shop = Shop(plans.next(first))
    for number, each in enumerate(history):
        if number == at:
            shop.replan(plans.next(NEW))
        shop.take(each, each.ts)
    shop.advance(FOREVER)
    return {
        (c.rule, c.anchor, c.step): (d.at, c.reason, c.offer) for d in shop.decisions for c in (d.candidate,)
    }


@given(histories(), st.integers(0, 14))
def test_each_episode_goes_by_the_settings_of_the_moment_at_which_it_began(
    history: list[Any], at: int
) -> None:
    before, after, changed = (
        _played(history, None, OLD),
        _played(history, None, NEW),
        _played(history, at, OLD),
    )
    began = {each.event_id: number for number, each in enumerate(history)}
    for key in before.keys() | after.keys() | changed.keys():
        by = before if began[key[1]] < at else after
        assert changed.get(key) == by.get(key), key
