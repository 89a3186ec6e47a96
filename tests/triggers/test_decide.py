"""What holds for every history, whatever the rules say?"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from state import events
from state.calendar import DAY, HOUR, MINUTE
from state.contact import EPISODES_LIMIT, PENDING_LIMIT, SENT_LIMIT
from tests.state.history import START, USER, happening
from tests.triggers.golden import plan_of, stanzas
from tests.triggers.shop import FOREVER, Shop
from triggers.catalog import RULES
from triggers.plan import Armed, Plan
from triggers.trigger import Claim, Defer, Publish, Reason, Suppress

PATTERNS = {
    "left": {
        "after": {"event": "product_viewed"},
        "then_not": {"event": "searched"},
        "within": "1h",
        "by": "user",
    },
    "again": {
        "after": {"event": "order_placed"},
        "then": {"event": "product_viewed"},
        "within": "2d",
        "by": "sku",
    },
    "paid": {
        "after": {"event": "order_placed"},
        "then_not": {"event": "order_paid"},
        "within": "1d",
        "by": "order",
    },
    "trip": {
        "after": {"event": "searched", "times": 2},
        "then_not": {"event": "favorited"},
        "within": "20m",
        "by": "cart",
    },
}
ALL: dict[str, dict[str, Any]] = {rule.name: {} for rule in RULES} | {"pattern": {"patterns": PATTERNS}}
PAUSES = (0, 1, MINUTE, 10 * MINUTE, HOUR, 7 * HOUR, DAY, 20 * DAY)
_SEEDS = st.integers(0, 2**32)


def history_of(seed: int, length: int = 60) -> list[Any]:
    """In order of time, with pauses in which timers fall due."""
    chance, ts, history = Random(seed), START, []
    for number in range(length):
        ts += chance.choice(PAUSES)
        history.append(_as_read(happening(chance, number, ts, variety=3)))
    return history


def _as_read(event: Any) -> Any:
    """A word between users comes in a letter."""
    if isinstance(event, events.UserEvent | events.StockEdge):
        return event
    return events.Letter(event_id=event.event_id, ts=event.ts, to=USER, origin=USER, content=event)


def play(plan: Plan, history: list[Any], *, eager: bool = True, seed: int = 0) -> Shop:
    shop, chance = Shop(plan, eager=eager), Random(seed)
    for event in history:
        shop.take(event, event.ts)
        if not eager and chance.random() < 0.2:
            shop.advance(event.ts)
    shop.advance(FOREVER)
    return shop


@given(_SEEDS, st.booleans())
def test_a_trigger_is_published_once(seed: int, policy: bool) -> None:
    shop = play(plan_of(ALL, {} if policy else None), history_of(seed))
    published = [d.candidate.id for d in shop.decisions if isinstance(d.outcome, Publish)]
    assert len(published) == len(set(published))


@given(_SEEDS)
def test_a_candidate_is_settled_once_and_a_deferral_is_settled_too(seed: int) -> None:
    shop = play(plan_of(ALL, {}), history_of(seed))
    settled = [d.candidate.id for d in shop.decisions if not isinstance(d.outcome, Defer)]
    deferred = {d.candidate.id for d in shop.decisions if isinstance(d.outcome, Defer)}
    assert len(settled) == len(set(settled))
    assert deferred <= set(settled)


def takes_back(event: Any) -> bool:
    if isinstance(event, events.ConsentChanged):
        return not event.granted
    return isinstance(event, events.Unsubscribed)


def told(shop: Shop) -> list[tuple[Any, ...]]:
    return [(d.candidate.id, d.candidate.at, d.at, d.outcome) for d in shop.decisions]


@given(_SEEDS)
def test_no_user_hears_more_than_the_cap_in_any_window(seed: int) -> None:
    shop = play(plan_of(ALL, {}), history_of(seed))
    exempt = {rule for rule, stanza in stanzas().items() if stanza["transactional"]}
    sent = [d.at for d in shop.decisions if isinstance(d.outcome, Publish) and d.candidate.rule not in exempt]
    assert all(sum(at - 7 * DAY < other <= at for other in sent) <= 2 for at in sent)


@given(_SEEDS)
def test_what_waits_and_what_is_remembered_is_bounded(seed: int) -> None:
    shop = Shop(plan_of(ALL, {}))
    for event in history_of(seed, length=200):
        shop.take(event, event.ts)
        user = shop.user(USER)
        assert set(user.wakes) <= set(ALL)
        assert len(user.contact.pending) <= PENDING_LIMIT
        assert len(user.contact.sent) <= SENT_LIMIT
        assert all(len(known) <= EPISODES_LIMIT for known in user.contact.episodes.values())
        waiting = [*user.wakes.values(), *(p.until for p in user.contact.pending)]
        assert user.due == min(waiting, default=None)


@pytest.mark.parametrize("marketing", [0, 1, 2, 7])
def test_of_many_candidates_at_once_exactly_as_many_pass_as_there_are_places(marketing: int) -> None:
    rules = {"payment_pending": {"transactional": False}}
    shop = Shop(plan_of(rules, {"frequency_cap": {"marketing": marketing}}))
    line = events.Line(sku="k1", quantity=1)
    for number in range(16):
        name = f"o{number}"
        shop.take(
            events.OrderPlaced(event_id=name, ts=0, user_id=USER, order_id=name, lines=(line,), total=1), 0
        )
    shop.advance(FOREVER)
    assert len(shop.decisions) == 16
    assert sum(isinstance(d.outcome, Publish) for d in shop.decisions) == marketing


def test_the_same_cause_gives_the_same_id_and_another_cause_another() -> None:
    history = history_of(3)
    first, second = play(plan_of(ALL, None), history), play(plan_of(ALL, None), history)
    assert first.decisions
    assert told(first) == told(second)
    causes = {(d.candidate.rule, d.candidate.step, d.candidate.anchor) for d in first.decisions}
    assert len({d.candidate.id for d in first.decisions}) == len(causes)


def test_a_rule_switched_off_leaves_no_timer_behind() -> None:
    shop = Shop(plan_of({"first_order_nudge": {}}, None))
    shop.take(events.Registered(event_id="e1", ts=0, user_id=USER), 0)
    assert shop.user(USER).due == DAY
    shop.replan(plan_of({}, None))
    shop.advance(FOREVER)
    assert shop.user(USER).due is None
    assert shop.decisions == []


def test_a_deferred_trigger_of_a_rule_switched_off_is_stale() -> None:
    shop = Shop(plan_of({"first_order_nudge": {}}, {}))
    shop.take(events.Registered(event_id="e1", ts=0, user_id=USER), 0)
    shop.advance(DAY + 1)
    shop.replan(plan_of({}, {}))
    shop.advance(FOREVER)
    verdicts = [(type(d.outcome).__name__, str(d.outcome.reason)) for d in shop.decisions]  # type: ignore[union-attr]
    assert verdicts == [("Defer", "quiet_hours"), ("Suppress", "stale")]


def test_a_deferred_trigger_of_a_rule_that_has_a_new_version_is_stale() -> None:
    shop = Shop(plan_of({"first_order_nudge": {}}, {}))
    shop.take(events.Registered(event_id="e1", ts=0, user_id=USER), 0)
    shop.advance(DAY + 1)
    newer = plan_of({"first_order_nudge": {}}, {})
    known = newer.armed["first_order_nudge"]
    newer.armed["first_order_nudge"] = Armed(structs.replace(known.rule, version=2), known.params)
    shop.replan(newer)
    shop.advance(FOREVER)
    assert [d.outcome for d in shop.decisions][1:] == [Suppress(Reason.STALE)]


def test_what_cannot_wait_for_want_of_room_is_refused() -> None:
    shop = Shop(plan_of({"payment_pending": {"quiet_hours": "defer", "valid_for": "1d"}}, {}))
    line = events.Line(sku="k1", quantity=1)
    for number in range(PENDING_LIMIT + 2):
        name = f"o{number}"
        ts = number * MINUTE
        shop.take(
            events.OrderPlaced(event_id=name, ts=ts, user_id=USER, order_id=name, lines=(line,), total=1), ts
        )
    shop.advance(FOREVER)
    refused = [d.candidate.anchor for d in shop.decisions if d.outcome == Suppress(Reason.PENDING_FULL)]
    assert refused == ["o16", "o17"]
    assert sum(isinstance(d.outcome, Publish) for d in shop.decisions) == PENDING_LIMIT


def _edge_for_a_buyer(plan: Plan) -> Shop:
    """A fall told by letter, while this side knows nothing of the SKU's stock."""
    shop = Shop(plan)
    shop.take(events.CartItemAdded(event_id="e1", ts=0, user_id=USER, sku="k1", quantity=1, price=1), 0)
    shop.take(events.StockEdge(event_id="e2", ts=HOUR, sku="k1", edge="low", available=2), HOUR)
    return shop


def test_the_first_wave_does_not_wait_for_a_timer() -> None:
    shop = _edge_for_a_buyer(plan_of({"low_stock": {}}, None))
    assert [(d.at, d.candidate.anchor) for d in shop.decisions] == [(HOUR, "k1:e2")]


def test_where_stock_is_not_known_the_word_of_the_edge_counts() -> None:
    shop = _edge_for_a_buyer(plan_of({"low_stock": {"reach_per_unit": 3}}, None))
    (decision,) = shop.decisions
    assert decision.candidate.reason == "only 2 left of an item in the cart"
    assert decision.candidate.claim == Claim("low_stock:k1:e2", "k1", 6)


def test_stages_of_customers_from_before_the_rule_are_found_at_their_next_visit() -> None:
    shop = Shop(plan_of({}, None))
    line = events.Line(sku="k1", quantity=1)
    shop.take(events.OrderPlaced(event_id="e1", ts=0, user_id=USER, order_id="o", lines=(line,), total=1), 0)
    shop.take(events.OrderPaid(event_id="e2", ts=0, user_id=USER, order_id="o"), 0)
    shop.replan(plan_of({"stage_changed": {}}, None))
    shop.take(events.SessionStarted(event_id="e3", ts=DAY, user_id="stranger"), DAY)
    shop.take(events.SessionStarted(event_id="e4", ts=DAY, user_id=USER), DAY)
    assert [(d.candidate.anchor, d.candidate.fields) for d in shop.decisions] == [
        ("e4", {"from": None, "to": "new"})
    ]
