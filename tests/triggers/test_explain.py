"""Does `explain` read right, for each reason, and does what it foresees come true?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from state import events
from state.calendar import DAY, HOUR, MINUTE, iso, millis
from tests.state.history import USER
from tests.triggers.golden import plan_of, stanzas
from tests.triggers.shop import FOREVER, Shop
from tests.triggers.test_decide import ALL
from triggers.explain import AHEAD, explain
from triggers.explanation import OfRule
from triggers.plan import Plan
from triggers.policy.words import DEFERRALS, GATE_OF, REASONS, WORDS
from triggers.trigger import Reason

T0 = millis(datetime.fromisoformat("2026-09-21T10:00:00Z"))
CART: dict[str, dict[str, Any]] = {"cart_abandoned": {}}
STEP_1 = "cart_abandoned (step 1: cart untouched for 1 h, k1)"
DAYTIME: dict[str, Any] = {"quiet_hours": {"start": "03:00", "end": "03:00"}}


def carted(number: int, at: int, sku: str = "k1") -> events.CartItemAdded:
    return events.CartItemAdded(event_id=f"e{number}", ts=T0 + at, user_id=USER, sku=sku, quantity=1, price=5)


def _order(number: int, at: int, *skus: str) -> events.OrderPlaced:
    lines = tuple(events.Line(sku=sku, quantity=1) for sku in skus or ("k9",))
    name = f"o{number}"
    return events.OrderPlaced(event_id=name, ts=T0 + at, user_id=USER, order_id=name, lines=lines, total=9)


def yes(at: int = 0, *, granted: bool = True) -> events.ConsentChanged:
    return events.ConsentChanged(
        event_id=f"c{at}", ts=T0 + at, user_id=USER, channel="app_push", granted=granted
    )


def _after(
    rules: dict[str, dict[str, Any]], policy: dict[str, Any] | None, history: list[Any], until: int
) -> tuple[Shop, Plan]:
    """A shop that has read this, its timers fired up to `until`."""
    plan = plan_of(rules, policy)
    shop = Shop(plan)
    for event in history:
        shop.take(event, event.ts)
    shop.advance(T0 + until + 1)
    return shop, plan


def explained(
    rules: dict[str, dict[str, Any]], policy: dict[str, Any] | None, history: list[Any], until: int, rule: str
) -> OfRule:
    shop, plan = _after(rules, policy, history, until)
    (told,) = explain(shop.user(USER), plan, shop._facts, as_of=T0 + until, rule=rule).rules
    return told


def texts(told: OfRule) -> list[str]:
    return [each.text for each in told.decisions]


def test_sent() -> None:
    told = explained(CART, DAYTIME, [yes(), carted(1, 0)], 3 * HOUR, "cart_abandoned")
    assert texts(told) == [f"{STEP_1} was sent on app_push 2026-09-21 11:00Z (2 h ago)"]
    assert [(c.met, c.text, c.at) for c in told.conditions] == [
        (True, "something is in the cart: 1 SKU, last changed 2026-09-21 10:00Z", None),
        (True, "since that change a step is left to tell", None),
        (False, "nobody touches it for 1 day: step 2", "2026-09-22T10:00:00Z"),
    ]
    assert [each.text for each in told.foreseen] == [
        "cart_abandoned (step 2: cart untouched for 1 day, k1) would be sent on app_push 2026-09-22 10:00Z (in 21 h)"
    ]
    assert told.asked_at == "2026-09-22T10:00:00Z"
    assert told.refusals == []


def test_no_consent() -> None:
    only_push = {"cart_abandoned": {"channels": ["app_push", "sms"]}}
    told = explained(only_push, DAYTIME, [yes(granted=False), carted(1, 0)], 3 * HOUR, "cart_abandoned")
    why = "no consent for app_push (refused 2026-09-21 10:00Z), sms (never given)"
    assert texts(told) == [f"{STEP_1} was not sent 2026-09-21 11:00Z (2 h ago): {why}"]
    assert [(each.gate, each.text, each.until) for each in told.refusals] == [("consent", why, None)]


def test_a_consent_given_since_is_not_taken_for_one_of_then() -> None:
    only_push = {"cart_abandoned": {"channels": ["app_push"]}}
    told = explained(only_push, DAYTIME, [carted(1, 0), yes(2 * HOUR)], 3 * HOUR, "cart_abandoned")
    assert texts(told)[0].endswith("no consent for app_push (given since, 2026-09-21 12:00Z)")
    assert told.refusals == []


def test_a_complaint_is_open() -> None:
    complaint = events.ComplaintOpened(event_id="e5", ts=T0 - HOUR, user_id=USER, id="c7", topic="late")
    told = explained(CART, DAYTIME, [complaint, carted(1, 0)], 3 * HOUR, "cart_abandoned")
    why = "complaint c7 is open since 2026-09-21 09:00Z, until 2026-10-21 09:00Z"
    assert texts(told)[0].endswith(f"was not sent 2026-09-21 11:00Z (2 h ago): {why}")
    assert [(each.text, each.until) for each in told.refusals] == [
        (f"{why} (in 29 days)", "2026-10-21T09:00:00Z")
    ]


def test_put_off_by_night_and_sent_in_the_morning() -> None:
    evening = [yes(), carted(1, 11 * HOUR)]
    told = explained(CART, {}, evening, 13 * HOUR, "cart_abandoned")
    night = "it is night where she lives (21:30 to 08:30, UTC)"
    (text,) = texts(told)
    assert text == f"{STEP_1} was put off 2026-09-21 22:00Z (60 min ago) to 2026-09-22 08:30Z: {night}"
    assert told.waiting == [f"step 1, due 2026-09-21 22:00Z, waits until 2026-09-22 08:30Z (in 9 h): {night}"]
    assert told.foreseen[0].text.endswith(
        "would be sent on app_push 2026-09-22 08:30Z (in 9 h), due since 2026-09-21 22:00Z"
    )
    assert [each.text for each in told.refusals] == [f"{night}, until 2026-09-22 08:30Z (in 9 h)"]

    told = explained(CART, {}, evening, 24 * HOUR, "cart_abandoned")
    assert told.waiting == []
    assert texts(told)[0].endswith(
        "was sent on app_push 2026-09-22 08:30Z (90 min ago), due since 2026-09-21 22:00Z"
    )


def test_dropped_by_night() -> None:
    dropped = {"cart_abandoned": {"quiet_hours": "drop"}}
    told = explained(dropped, {}, [carted(1, 11 * HOUR)], 13 * HOUR, "cart_abandoned")
    assert texts(told)[0].endswith(
        "was not sent 2026-09-21 22:00Z (60 min ago): it is night where she lives (21:30 to 08:30, UTC), "
        "until 2026-09-22 08:30Z"
    )


def test_she_has_heard_enough() -> None:
    carts = [carted(number, number * 3 * HOUR) for number in (0, 1, 2)]
    told = explained(CART, DAYTIME, [yes(), *carts], 8 * HOUR, "cart_abandoned")
    heard = "cart_abandoned 2026-09-21 11:00Z, cart_abandoned 2026-09-21 14:00Z"
    why = f"she has heard enough: 2 of at most 2 in 7 days ({heard}), until 2026-09-28 11:00Z"
    assert texts(told)[0].endswith(f"was not sent 2026-09-21 17:00Z (60 min ago): {why}")
    assert [each.text for each in told.refusals] == [f"{why} (in 6 days)"]


def test_the_next_place_is_free_when_few_enough_are_left() -> None:
    """The cap was lowered since: both must be over."""
    shop, _ = _after(CART, DAYTIME, [yes(), carted(0, 0), carted(1, 3 * HOUR)], 5 * HOUR)
    plan = plan_of(CART, {**DAYTIME, "frequency_cap": {"marketing": 1}})
    (told,) = explain(shop.user(USER), plan, shop._facts, as_of=T0 + 5 * HOUR, rule="cart_abandoned").rules
    assert [each.until for each in told.refusals] == ["2026-09-28T14:00:00Z"]


def test_stale_after_the_night() -> None:
    told = explained(
        CART, {}, [carted(1, 11 * HOUR), _order(1, 14 * HOUR, "k1")], 24 * HOUR, "cart_abandoned"
    )
    assert texts(told)[0].endswith(
        "was not sent 2026-09-22 08:30Z (90 min ago), due since 2026-09-21 22:00Z: "
        "what it was about was no longer so when it was to be sent"
    )
    assert [(each.met, each.text) for each in told.conditions] == [
        (False, "something is in the cart; it has been empty since 2026-09-22 00:00Z")
    ]


def test_out_of_stock_and_no_place_left() -> None:
    favourite = events.Favorited(event_id="e1", ts=T0, user_id=USER, sku="k1")
    gone = events.StockChanged(event_id="e2", ts=T0 + HOUR, sku="k1", available=0)
    told = explained({"favorite_reminder": {}}, DAYTIME, [favourite, gone], 4 * DAY, "favorite_reminder")
    assert texts(told)[0].endswith("(24 h ago): it was sold out when it was to be sent")

    edge = events.StockEdge(event_id="e3", ts=T0 + HOUR, sku="k1", edge="low", available=2)
    rules = {"low_stock": {"reach_per_unit": 0}}
    told = explained(rules, DAYTIME, [carted(1, 0), edge], 2 * HOUR, "low_stock")
    assert texts(told)[0].endswith(f"(60 min ago): {REASONS[Reason.REACH]}")


def test_expired_and_too_many_waiting() -> None:
    rules: dict[str, Any] = {"payment_pending": {"quiet_hours": "defer"}}
    told = explained(rules, {}, [_order(1, 12 * HOUR)], 24 * HOUR, "payment_pending")
    assert texts(told)[0].endswith(f": {REASONS[Reason.EXPIRED]}")

    rules = {"payment_pending": {"quiet_hours": "defer", "valid_for": "1d"}}
    orders = [_order(number, 12 * HOUR + number * MINUTE) for number in range(17)]
    told = explained(rules, {}, orders, 14 * HOUR, "payment_pending")
    assert texts(told)[0].endswith(f": {REASONS[Reason.PENDING_FULL]}")


def test_sent_and_taken_back() -> None:
    shop, plan = _after(CART, None, [carted(1, 0)], 2 * HOUR)
    shop.take(_order(2, 30 * MINUTE, "k1"), T0 + 2 * HOUR)
    (told,) = explain(shop.user(USER), plan, shop._facts, as_of=T0 + 2 * HOUR, rule="cart_abandoned").rules
    (text,) = texts(told)
    assert text.startswith(
        f"{STEP_1} was sent on app_push 2026-09-21 11:00Z (60 min ago) and taken back: an event"
    )


def test_what_would_be_heard_by_then_counts_for_what_is_foreseen() -> None:
    rules = {**CART, "favorite_reminder": {"delay": "2d"}, "first_order_nudge": {"delay": "1h"}}
    favourite = events.Favorited(event_id="e2", ts=T0, user_id=USER, sku="k2")
    registered = events.Registered(event_id="e3", ts=T0, user_id=USER)
    told = explained(
        rules, DAYTIME, [yes(), carted(1, 0), favourite, registered], MINUTE, "favorite_reminder"
    )
    assert told.foreseen[0].text.endswith(
        "2 of at most 2 in 7 days (cart_abandoned 2026-09-21 11:00Z, first_order_nudge 2026-09-21 11:00Z), "
        "until 2026-09-28 11:00Z"
    )


def test_it_waits_for_what_else_there_may_be_to_say_and_loses() -> None:
    policy = {**DAYTIME, "arbitration": {"window": "60s"}}
    rules = {**CART, "first_order_nudge": {"delay": "1h"}}
    registered = events.Registered(event_id="e3", ts=T0, user_id=USER)
    shop, plan = _after(rules, policy, [yes(), carted(1, 0), registered], HOUR)
    found = explain(shop.user(USER), plan, shop._facts, as_of=T0 + HOUR, rule="first_order_nudge").rules[0]
    assert found.waiting == [
        f"step 1, due 2026-09-21 11:00Z, waits until 2026-09-21 11:01Z (in 60 s): {DEFERRALS['arbitration']}"
    ]
    shop.advance(T0 + 2 * HOUR)
    (sent,) = shop.user(USER).contact.sent
    (told,) = explain(shop.user(USER), plan, shop._facts, as_of=T0 + 2 * HOUR, rule="first_order_nudge").rules
    assert texts(told)[0].endswith(f": {REASONS['arbitration']}: cart_abandoned ({sent.id})")
    assert found.foreseen[0].text.endswith(f": cart_abandoned ({sent.id})")


def test_it_never_became_a_candidate() -> None:
    told = explained(CART, {}, [_order(1, 0)], HOUR, "cart_abandoned")
    assert (told.decisions, told.foreseen, told.asked_at) == ([], [], None)
    assert [(each.met, each.text) for each in told.conditions] == [(False, "something is in the cart")]


def test_what_was_decided_too_long_ago_is_not_taken_for_nothing() -> None:
    shop, plan = _after(CART, DAYTIME, [yes(), carted(1, 0)], 3 * HOUR)
    user = shop.user(USER)
    user.own_history = None
    (told,) = explain(user, plan, shop._facts, as_of=T0 + 3 * HOUR, rule="cart_abandoned").rules
    assert (told.decisions, told.earlier) == ([], ["step 1, due 2026-09-21 11:00Z (2 h ago)"])


def test_a_rule_that_is_off() -> None:
    told = explained(CART, {}, [_order(1, 0)], HOUR, "payment_pending")
    assert (told.enabled, told.conditions, told.refusals) == (False, [], [])


def test_without_a_rule_those_that_have_a_word() -> None:
    shop, plan = _after({**CART, "payment_pending": {}, "low_stock": {}}, DAYTIME, [carted(1, 0)], 3 * HOUR)
    found = explain(shop.user(USER), plan, shop._facts, as_of=T0 + 3 * HOUR)
    assert [each.rule for each in found.rules] == ["cart_abandoned"]
    assert found.silent == ["payment_pending", "low_stock"]
    assert len(found.off) == len(stanzas()) - 3


def test_of_a_later_moment_it_tells_what_would_be_if_nothing_else_happened() -> None:
    shop, plan = _after(CART, DAYTIME, [yes(), carted(1, 0)], 10 * MINUTE)
    found = explain(shop.user(USER), plan, shop._facts, as_of=T0 + 10 * MINUTE, at=T0 + 2 * HOUR)
    (told,) = found.rules
    assert texts(told) == [f"{STEP_1} would be sent on app_push 2026-09-21 11:00Z (60 min ago)"]
    assert found.notes == [
        "as it would be 2026-09-21 12:00Z if nothing else happened after 2026-09-21 10:10Z"
    ]
    assert found.at == iso(T0 + 2 * HOUR)
    then = explain(shop.user(USER), plan, shop._facts, as_of=T0 + 10 * MINUTE, at=T0 + HOUR)
    assert len(then.rules[0].decisions) == 1, "what is due at the moment itself has come"


def test_of_an_earlier_moment_it_tells_what_had_been_decided_and_that_the_rest_is_of_now() -> None:
    shop, plan = _after(CART, DAYTIME, [yes(), carted(1, 0), carted(2, 3 * HOUR)], 5 * HOUR)
    found = explain(shop.user(USER), plan, shop._facts, as_of=T0 + 5 * HOUR, at=T0 + 2 * HOUR)
    assert [each.at for each in found.rules[0].decisions] == ["2026-09-21T11:00:00Z"]
    assert found.notes == [
        "decisions up to 2026-09-21 12:00Z; the rest is as of 2026-09-21 15:00Z: nobody remembers the state of then"
    ]


def test_of_who_asked_to_be_forgotten_it_tells_that() -> None:
    erase = events.EraseRequested(event_id="e2", ts=T0 + HOUR, user_id=USER)
    shop, plan = _after(ALL, {}, [carted(1, 0), erase], 2 * HOUR)
    found = explain(shop.user(USER), plan, shop._facts, as_of=T0 + 2 * HOUR)
    assert found.rules == []
    assert found.notes == [
        "she asked to be forgotten 2026-09-21 11:00Z: nothing is kept, and her events do nothing"
    ]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_words(reason: Reason) -> None:
    assert REASONS[reason]
    assert GATE_OF.get(reason, "consent") in WORDS


def test_it_looks_no_further_than_the_longest_timer() -> None:
    shop, plan = _after(CART, DAYTIME, [carted(1, 0)], HOUR)
    found = explain(shop.user(USER), plan, shop._facts, as_of=T0 + HOUR, at=FOREVER)
    assert found.at == iso(T0 + HOUR + AHEAD)
    assert found.notes[0].startswith("no further than 400 days ahead is looked")
