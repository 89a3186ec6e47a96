"""What do the gates that look at single rules and channels say, and the rules that only try?"""

from __future__ import annotations

from typing import Any

from state import events
from state.calendar import HOUR
from tests.state.history import USER
from tests.triggers.golden import plan_of
from tests.triggers.shop import Shop
from tests.triggers.test_explain import CART, DAYTIME, STEP_1, T0, _cart, _explained, _texts, _yes
from triggers.explain import explain


def test_a_cap_of_its_own_is_named_and_when_the_day_is_over() -> None:
    caps = {"carts": {"limit": 1, "per": "day", "rules": ["cart_abandoned"]}}
    policy = {**DAYTIME, "frequency_cap": {"zone": "UTC", "caps": caps}}
    told = _explained(CART, policy, [_yes(), _cart(0, 0), _cart(1, 3 * HOUR)], 5 * HOUR, "cart_abandoned")
    why = "she has heard enough: 1 of at most 1 in a day, by cap carts (2026-09-21 11:00Z), until 2026-09-22 00:00Z"
    assert _texts(told)[0].endswith(f": {why}")
    assert [each.text for each in told.refusals] == [f"{why} (in 9 h)"]


def test_a_channel_on_which_messages_come_back_is_told() -> None:
    only_push: dict[str, dict[str, Any]] = {"cart_abandoned": {"channels": ["app_push"]}}
    bounce = events.MessageBounced(event_id="b", ts=T0, user_id=USER, trigger_id="t", channel="app_push")
    told = _explained(only_push, DAYTIME, [_yes(-HOUR), bounce, _cart(0, 0)], 3 * HOUR, "cart_abandoned")
    assert _texts(told)[0].endswith(
        "app_push (given 2026-09-21 09:00Z, but what was sent came back 2026-09-21 10:00Z)"
    )


def test_who_never_answers_is_told_since_when_and_how_long() -> None:
    stop = {"unanswered": 1, "answer_within": "1h", "answer_channels": ["app_push"], "stopped_for": "10d"}
    plan = plan_of(CART, {**DAYTIME, "stop_list": stop})
    shop = Shop(plan)
    for event in (_yes(), _cart(0, 0)):
        shop.take(event, event.ts)
    shop.advance(T0 + HOUR + 1)
    (sent,) = shop.user(USER).contact.sent
    delivered = events.MessageDelivered(
        event_id="d", ts=T0 + HOUR, user_id=USER, trigger_id=sent.id, channel="app_push"
    )
    shop.take(delivered, T0 + HOUR)
    found = explain(shop.user(USER), plan, shop._facts, as_of=T0 + 3 * HOUR, rule="cart_abandoned").rules[0]
    (refusal,) = found.refusals
    assert refusal.text.startswith(
        "she has not answered the last messages of this rule, the last 2026-09-21 11:00Z"
    )
    assert refusal.until == "2026-10-01T11:00:00Z"


def test_a_rule_in_shadow_says_so() -> None:
    told = _explained(
        {"cart_abandoned": {"mode": "shadow"}}, DAYTIME, [_yes(), _cart(1, 0)], 2 * HOUR, "cart_abandoned"
    )
    shadow = "the rule is in shadow mode: it decides and sends nothing"
    assert _texts(told) == [f"{STEP_1} was not sent 2026-09-21 11:00Z (60 min ago): {shadow}"]
    assert [each.text for each in told.refusals] == [shadow]
