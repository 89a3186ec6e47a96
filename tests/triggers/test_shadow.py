"""Does a rule in shadow decide everything, say nothing, and stand in nobody's way?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from state import events
from state.calendar import HOUR, MINUTE
from tests.triggers.shop import FOREVER, Shop
from tests.triggers.succession import Rules, Succession
from tests.triggers.test_running_episodes import T0, added, consent, play
from triggers.trigger import Defer, Outcome, Publish, Reason, Suppress

SHADOWED = Suppress(Reason.SHADOW, channel="app_push")


def in_shadow(**params: Any) -> Rules:
    return {"cart_abandoned": {"mode": "shadow", "delay": "1h", "second_delay": "2h", **params}}


def test_in_shadow_everything_is_decided_and_nothing_is_said() -> None:
    plans = Succession({})
    shop = Shop(plans.next(in_shadow()))
    play(shop, consent(), added(0, "e1"))
    shop.advance(FOREVER)
    assert [d.outcome for d in shop.decisions] == [SHADOWED] * 2
    assert shop.user("u1").contact.sent == []
    assert shop.user("u1").contact.step_of("cart_abandoned", "e1") == 2


def test_a_gate_that_refuses_is_named_also_in_shadow() -> None:
    capped = Shop(Succession({"frequency_cap": {"marketing": 0}}).next(in_shadow()))
    play(capped, consent(), added(0, "e1"))
    capped.advance(FOREVER)
    reasons = [getattr(d.outcome, "reason", None) for d in capped.decisions]
    assert reasons == [Reason.FREQUENCY_CAP] * 2


def test_a_place_of_the_cap_is_left_to_those_who_speak() -> None:
    plans = Succession({"frequency_cap": {"marketing": 1}})
    rules = {**in_shadow(), "favorite_reminder": {"delay": "3h"}}
    shop = Shop(plans.next(rules))
    favorited = events.Favorited(event_id="f", ts=T0, user_id="u1", sku="k2")
    play(shop, consent(), added(0, "e1"), favorited)
    shop.advance(FOREVER)
    assert [(d.candidate.rule, type(d.outcome)) for d in shop.decisions] == [
        ("cart_abandoned", Suppress),
        ("cart_abandoned", Suppress),
        ("favorite_reminder", Publish),
    ]


def test_a_place_of_reach_per_unit_is_left_too() -> None:
    shadow: Rules = {"low_stock": {"mode": "shadow", "reach_per_unit": 1, "threshold": 1}}
    live: Rules = {"low_stock": {**shadow["low_stock"], "mode": "live"}}

    def sent(rules: Rules) -> list[Outcome]:
        plans = Succession()
        shop = Shop(plans.next(rules))
        for user in ("u1", "u2"):
            play(shop, added(0, f"e-{user}", user))
        for at, left in ((1, 5), (2, 1)):
            play(shop, events.StockChanged(event_id=f"s{at}", ts=T0 + at, sku="k1", available=left))
        return [d.outcome for d in shop.decisions]

    assert sent(live) == [Publish("app_push"), Suppress(Reason.REACH)]
    assert sent(shadow) == [SHADOWED] * 2


def test_what_waits_for_the_morning_in_shadow_takes_no_place_of_what_will_be_said() -> None:
    """Seventeen unpaid orders for sixteen places in shadow, and a cart."""
    by_night = {"delay": "12h", "quiet_hours": "defer", "valid_for": "1d", "transactional": False}
    orders: Rules = {"payment_pending": {**by_night, "mode": "shadow", "priority": 99}}
    shop = Shop(Succession({}).next({**orders, "cart_abandoned": {"delay": "12h", "second_delay": None}}))
    play(shop, consent())
    for number in range(17):
        base: dict[str, Any] = {"event_id": f"o{number}", "ts": T0 + number, "user_id": "u1"}
        lines = (events.Line(sku="k1", quantity=1, price=100),)
        play(shop, events.OrderPlaced(**base, order_id=f"o{number}", total=100, lines=lines))
    play(shop, added(HOUR, "e1"))
    shop.advance(T0 + 14 * HOUR)
    waiting = Counter((d.candidate.rule, type(d.outcome)) for d in shop.decisions)
    assert waiting == {
        ("payment_pending", Defer): 16,
        ("payment_pending", Suppress): 1,
        ("cart_abandoned", Defer): 1,
    }
    shop.advance(FOREVER)
    said = [d.candidate.rule for d in shop.decisions if isinstance(d.outcome, Publish)]
    assert said == ["cart_abandoned"]


def test_in_the_morning_it_loses_to_nobody_either() -> None:
    plans = Succession({"arbitration": {"window": "60s"}})
    shadow = in_shadow(priority=1, delay="12h", second_delay=None)
    shop = Shop(plans.next({**shadow, "favorite_reminder": {"delay": "12h"}}))
    play(shop, consent(), added(0, "e1"), events.Favorited(event_id="f", ts=T0, user_id="u1", sku="k2"))
    shop.advance(FOREVER)
    outcomes = {d.candidate.rule: d.outcome for d in shop.decisions}
    assert outcomes == {"cart_abandoned": SHADOWED, "favorite_reminder": Publish("app_push")}


def test_in_shadow_nobody_is_competed_with_or_held_out() -> None:
    plans = Succession({"arbitration": {"window": "60s"}, "holdout": {"everything": 100}})
    shop = Shop(plans.next({**in_shadow(priority=99), "favorite_reminder": {"delay": "1h"}}))
    play(shop, consent(), added(0, "e1"), events.Favorited(event_id="f", ts=T0, user_id="u1", sku="k2"))
    shop.advance(FOREVER)
    assert [(d.candidate.rule, d.at - T0) for d in shop.decisions if isinstance(d.outcome, Suppress)] == [
        ("cart_abandoned", HOUR),
        ("favorite_reminder", HOUR + MINUTE),
        ("cart_abandoned", 2 * HOUR),
    ]
    assert [d.candidate.rule for d in shop.decisions if d.holdout] == ["favorite_reminder"]
    assert len(shop.user("u1").contact.sent) == 1


@pytest.mark.parametrize("told_before", [False, True])
def test_out_of_the_shadow_the_next_episode_is_the_first_that_is_said(told_before: bool) -> None:
    plans = Succession()
    shop = Shop(plans.next(in_shadow()))
    play(shop, added(0, "e1"))
    if told_before:
        shop.advance(T0 + 90 * MINUTE)
    shop.replan(plans.next(in_shadow(mode="live")))
    shop.advance(T0 + 3 * HOUR)
    assert [d.outcome for d in shop.decisions] == [SHADOWED] * 2
    play(shop, added(4 * HOUR, "e2"))
    shop.advance(FOREVER)
    assert [type(d.outcome) for d in shop.decisions[2:]] == [Publish, Publish]
