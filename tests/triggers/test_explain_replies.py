"""Does `explain` read right of what came back of messages, of further caps, and of rules in shadow?"""

from __future__ import annotations

from state import events
from state.calendar import DAY, HOUR
from tests.state.history import USER
from tests.triggers.golden import plan_of
from tests.triggers.shop import Shop
from tests.triggers.test_explain import CART, DAYTIME, T0, carted, explained, texts, yes
from triggers.explain import explain
from triggers.plan import Plan
from triggers.policy.words import REASONS
from triggers.trigger import Reason


def _after_messages(kind: type[events.Engagement], count: int) -> tuple[Shop, Plan]:
    """So many carts were left, and each reminder of them was delivered, or came back."""
    rules = {"cart_abandoned": {"second_delay": None, "channels": ["app_push"]}}
    plan = plan_of(rules, {**DAYTIME, "frequency_cap": {"marketing": 9}})
    shop = Shop(plan)
    shop.take(yes(), T0)
    for number in range(count):
        at = number * DAY
        shop.take(carted(number, at), T0 + at)
        shop.advance(T0 + at + HOUR + 1)
        sent = shop.user(USER).contact.sent[-1]
        ts, name = T0 + at + HOUR + 1, f"m{number}"
        sign = kind(event_id=name, ts=ts, user_id=USER, trigger_id=sent.id, channel="app_push")
        shop.take(sign, ts)
    return shop, plan


def _refusals(shop: Shop, plan: Plan, at: int) -> list[str]:
    (told,) = explain(shop.user(USER), plan, shop._facts, as_of=T0 + at, rule="cart_abandoned").rules
    return [each.text for each in told.refusals]


def test_who_never_answers() -> None:
    shop, plan = _after_messages(events.MessageDelivered, 3)
    (text,) = _refusals(shop, plan, 9 * DAY)
    assert text.startswith("3 messages of cart_abandoned in a row had no answer, until 2026-12-22 11:00Z")


def test_a_channel_on_which_nothing_gets_through() -> None:
    shop, plan = _after_messages(events.MessageBounced, 1)
    (text,) = _refusals(shop, plan, DAY)
    assert text == "no message gets through on app_push (the last message came back 2026-09-21 11:00Z)"


def test_a_further_cap_is_full() -> None:
    caps = {"weekly": {"limit": 1, "window": "7d", "rules": ["cart_abandoned"]}}
    policy = {**DAYTIME, "frequency_cap": {"caps": caps}}
    told = explained(CART, policy, [yes(), carted(1, 0)], 26 * HOUR, "cart_abandoned")
    full = (
        "she has heard enough: the cap weekly allows 1 in 7 days of cart_abandoned, until 2026-09-28 11:00Z"
    )
    assert texts(told)[0].endswith(f"was not sent 2026-09-22 10:00Z (2 h ago): {full}")


def test_in_shadow() -> None:
    shadow = {"cart_abandoned": {"mode": "shadow"}}
    told = explained(shadow, DAYTIME, [yes(), carted(1, 0)], 3 * HOUR, "cart_abandoned")
    assert texts(told)[0].endswith(f"was not sent 2026-09-21 11:00Z (2 h ago): {REASONS[Reason.SHADOW]}")
