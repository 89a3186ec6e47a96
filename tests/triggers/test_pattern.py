"""What happens to a declared pattern when it is changed, when ids are united, and when B is known too late?"""

from __future__ import annotations

from typing import Any

import pytest

from state import events, union
from state.calendar import HOUR, MINUTE
from state.contact import Sent
from state.fold import apply
from state.user import User
from tests.state.history import USER
from tests.triggers.golden import plan_of
from tests.triggers.shop import FOREVER, Shop
from triggers.decide import on_union
from triggers.plan import Plan
from triggers.rules.pattern import CANDIDATES_LIMIT, Params, refuted
from triggers.trigger import Decision, Defer, Publish, Reason, Suppress

LEFT: dict[str, Any] = {
    "after": {"event": "product_viewed"},
    "then_not": {"event": "cart_item_added"},
    "within": "1h",
    "by": "sku",
}
BOUGHT: dict[str, Any] = {
    "after": {"event": "product_viewed"},
    "then": {"event": "order_placed"},
    "within": "1h",
    "by": "sku",
}


def plan(**patterns: dict[str, Any]) -> Plan:
    return plan_of({"pattern": {"patterns": patterns}}, None)


def plan_by_night(**patterns: dict[str, Any]) -> Plan:
    return plan_of({"pattern": {"patterns": patterns}}, {})


def viewed(event_id: str, ts: int, sku: str = "k1", user_id: str = USER) -> events.ProductViewed:
    return events.ProductViewed(event_id=event_id, ts=ts, user_id=user_id, sku=sku)


def added(event_id: str, ts: int, sku: str = "k1") -> events.CartItemAdded:
    return events.CartItemAdded(event_id=event_id, ts=ts, user_id=USER, sku=sku, quantity=1, price=1)


def ordered(event_id: str, ts: int, *skus: str, order_id: str = "o1") -> events.OrderPlaced:
    lines = tuple(events.Line(sku=sku, quantity=1) for sku in skus)
    return events.OrderPlaced(event_id=event_id, ts=ts, user_id=USER, order_id=order_id, lines=lines, total=1)


def anchors(decisions: list[Decision]) -> list[str]:
    return [d.candidate.anchor for d in decisions if isinstance(d.outcome, Publish)]


def test_a_pattern_that_is_changed_while_it_waits_begins_anew() -> None:
    shop = Shop(plan(p=LEFT))
    shop.take(viewed("e1", 0), 0)
    shop.replan(plan(p=LEFT | {"within": "2h"}))
    shop.take(viewed("e2", 10 * MINUTE, "k2"), 10 * MINUTE)
    shop.advance(FOREVER)
    assert [(d.candidate.anchor, d.candidate.at) for d in shop.decisions] == [("p:e2", 130 * MINUTE)]


@pytest.mark.parametrize("later", [{}, {"p": LEFT | {"within": "2h"}}, {"q": LEFT}])
def test_what_was_deferred_is_stale_when_the_pattern_is_no_more_what_it_was(later: dict[str, Any]) -> None:
    shop = Shop(plan_by_night(p=LEFT))
    shop.take(viewed("e1", 0), 0)
    shop.advance(HOUR + 1)
    assert isinstance(shop.decisions[0].outcome, Defer)
    shop.replan(plan_by_night(**later))
    shop.advance(FOREVER)
    assert [d.outcome for d in shop.decisions[1:]] == [Suppress(Reason.STALE)]


def test_more_than_can_be_said_at_once_is_void_and_leaves_nothing_behind() -> None:
    by_sku = {
        "after": {"event": "order_placed"},
        "then_not": {"event": "favorited"},
        "within": "1h",
        "by": "sku",
    }
    shop = Shop(plan(p=by_sku, q=by_sku))
    shop.take(ordered("e1", 0, *(f"k{number}" for number in range(20))), 0)
    shop.advance(FOREVER)
    assert len(shop.decisions) == CANDIDATES_LIMIT
    assert shop.user(USER).due is None
    (each, other) = shop.user(USER).patterns.matches.values()
    assert not any(match.complete for match in (*each.values(), *other.values()))


def united(rules: Plan, own: list[Any], theirs: list[Any], now: int) -> tuple[User, list[Decision]]:
    user, other = User.new(USER), User.new("other")
    for event in own:
        apply(user, event, rules.fold)
    for event in theirs:
        apply(other, event, rules.fold)
    decisions: list[Decision] = []
    union.unite(user, other, rules.fold)
    on_union(user, [], now, rules, lambda _: None, lambda *_: True, decisions)
    return user, decisions


def test_what_two_ids_did_one_after_the_other_is_told_as_they_are_united() -> None:
    theirs = [viewed("e1", 0), viewed("e2", 0, "k2"), viewed("e3", 0, "k3")]
    user, decisions = united(plan(p=BOUGHT), [ordered("e4", 20 * MINUTE, "k1", "k2")], theirs, HOUR)
    assert sorted((d.candidate.anchor, d.candidate.at) for d in decisions) == [
        ("p:e1", 20 * MINUTE),
        ("p:e2", 20 * MINUTE),
    ]
    assert (user.patterns.united, user.patterns.answered) == (False, [])


def test_a_b_of_the_other_id_ends_the_waiting_and_a_counts_with_a() -> None:
    twice = LEFT | {"after": {"event": "product_viewed", "times": 2}}
    user, decisions = united(plan(p=LEFT), [viewed("e1", 0)], [added("e2", 10)], 20)
    assert (decisions, user.due) == ([], None)
    user, decisions = united(plan(p=twice), [viewed("e1", 0)], [viewed("e2", 10)], 20)
    assert (decisions, user.due) == ([], HOUR + 10)


def test_what_waits_for_either_waits() -> None:
    user, decisions = united(plan(p=LEFT), [], [viewed("e1", 0)], 20)
    assert (decisions, user.due) == ([], HOUR)


def params(**patterns: dict[str, Any]) -> Params:
    stanza = plan(**patterns).armed["pattern"].params
    assert isinstance(stanza, Params)
    return stanza


@pytest.mark.parametrize(
    ("late", "wrong"),
    [
        (added("b", HOUR // 2), True),
        (added("b", HOUR), True),
        (added("b", HOUR + 1), False),
        (added("b", HOUR // 2, "k2"), False),
        (viewed("b", HOUR // 2), False),
    ],
)
def test_a_b_that_comes_late_shows_that_it_should_not_have_been_sent(late: Any, wrong: bool) -> None:
    rules = plan(p=LEFT)
    shop = Shop(rules)
    shop.take(viewed("a", 0), 0)
    shop.advance(2 * HOUR)
    assert anchors(shop.decisions) == ["p:a"]
    sent = Sent("id", "pattern", 1, "sms", HOUR, True, "p:a", HOUR, ["k1"])
    user = shop.user(USER)
    apply(user, late, rules.fold)
    assert refuted(user, late, sent, params(p=LEFT)) is wrong
    assert refuted(user, late, sent, params(q=LEFT)) is False
    assert refuted(user, late, sent, params(p=BOUGHT)) is False


def test_by_order_the_order_is_known_by_its_match() -> None:
    unpaid = {
        "after": {"event": "order_placed"},
        "then_not": {"event": "order_paid"},
        "within": "1h",
        "by": "order",
    }
    rules = plan(p=unpaid)
    shop = Shop(rules)
    shop.take(ordered("a", 0, "k1"), 0)
    shop.take(ordered("b", 1, "k1", order_id="o2"), 1)
    shop.advance(2 * HOUR)
    assert anchors(shop.decisions) == ["p:a", "p:b"]
    user = shop.user(USER)
    for order_id, wrong in (("o1", True), ("o2", False), ("o3", False)):
        paid = events.OrderPaid(event_id=f"paid-{order_id}", ts=MINUTE, user_id=USER, order_id=order_id)
        apply(user, paid, rules.fold)
        assert (
            refuted(user, paid, Sent("id", "pattern", 1, "sms", HOUR, True, "p:a", HOUR), params(p=unpaid))
            is wrong
        )


def test_by_cart_its_end_shows_it_too() -> None:
    trip = {"after": {"event": "searched"}, "then_not": {"event": "favorited"}, "within": "1h", "by": "cart"}
    rules, user = plan(p=trip), User.new(USER)
    apply(user, added("a", 0), rules.fold)
    sent = Sent("id", "pattern", 1, "sms", HOUR, True, "p:a", HOUR)
    cleared = events.CartCleared(event_id="c", ts=MINUTE, user_id=USER)
    apply(user, cleared, rules.fold)
    assert refuted(user, cleared, sent, params(p=trip))
    again = events.CartCleared(event_id="d", ts=2 * MINUTE, user_id=USER)
    apply(user, again, rules.fold)
    assert not refuted(user, again, sent, params(p=trip))
