"""What does the policy promise over any history? Caps, consent, competition, offers, arms of experiments."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state import events
from state.calendar import DAY, HOUR
from state.contact import OFFERS_LIMIT, PENDING_LIMIT, Contact, Offer
from tests.state.history import START, USER
from tests.triggers.golden import plan_of, stanzas
from tests.triggers.shop import FOREVER, Shop
from tests.triggers.test_decide import ALL, history_of, play, takes_back, told
from triggers.policy.variants import variant_of
from triggers.trigger import Decision, Defer, Publish, Reason, Suppress

_SEEDS = st.integers(0, 2**32)
_WINDOW = {"arbitration": {"window": "60s"}}
_OFFERING = {
    name: {"offer": f"offer_of_{name}", "need": need}
    for name, need in zip(ALL, ("cart", "item", "retention") * 11, strict=False)
}
_TRANSACTIONAL = {rule for rule, stanza in stanzas().items() if stanza["transactional"]}


def _rules(changes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {**params, **changes.get(name, {})} for name, params in ALL.items()}


@given(_SEEDS, _SEEDS)
def test_competition_does_not_depend_on_the_pace_of_reading(seed: int, pace: int) -> None:
    # A no counts from the moment it is read, so with it the pace does matter.
    plan = plan_of(_rules(_OFFERING), _WINDOW)
    history = [e for e in history_of(seed) if not takes_back(e)]
    assert told(play(plan, history, eager=False, seed=pace)) == told(play(plan, history))


@given(_SEEDS)
def test_of_those_who_compete_the_first_by_priority_wins_alone(seed: int) -> None:
    decisions = play(plan_of(ALL, _WINDOW), history_of(seed)).decisions
    priority = {rule: stanza["priority"] for rule, stanza in stanzas().items()}
    said = {d.candidate.id: d for d in decisions if isinstance(d.outcome, Publish)}
    lost = [d for d in decisions if _is(d, Reason.ARBITRATION)]
    for loser in lost:
        assert isinstance(loser.outcome, Suppress)
        winner = said[loser.outcome.winner or ""]
        assert winner.at == loser.at
        assert priority[winner.candidate.rule] >= priority[loser.candidate.rule]
        assert winner.candidate.rule not in _TRANSACTIONAL
    moments = Counter(d.at for d in said.values() if d.candidate.rule not in _TRANSACTIONAL)
    assert set(moments.values()) <= {1}


def test_such_histories_do_compete() -> None:
    lost = [
        d
        for seed in range(30)
        for d in play(plan_of(ALL, _WINDOW), history_of(seed)).decisions
        if _is(d, Reason.ARBITRATION)
    ]
    assert len(lost) > 10


@given(_SEEDS)
def test_a_candidate_waits_no_longer_than_the_window_but_for_the_night(seed: int) -> None:
    decisions = play(plan_of(ALL, _WINDOW), history_of(seed)).decisions
    deferrals = [(d.at, d.outcome) for d in decisions if isinstance(d.outcome, Defer)]
    waits = [defer.until - at for at, defer in deferrals if defer.reason is Reason.ARBITRATION]
    # None at all for what an event brings at the very end: it counts as before it.
    assert all(0 <= wait <= 60_000 for wait in waits)
    settled = Counter(d.candidate.id for d in decisions if not isinstance(d.outcome, Defer))
    assert set(settled.values()) <= {1}


@given(_SEEDS)
def test_nobody_hears_more_than_the_cap_or_without_consent(seed: int) -> None:
    shop = play(plan_of(ALL, _WINDOW), history_of(seed))
    said = [d for d in shop.decisions if isinstance(d.outcome, Publish)]
    at = [d.at for d in said if d.candidate.rule not in _TRANSACTIONAL]
    assert all(sum(moment - 7 * DAY < other <= moment for other in at) <= 2 for moment in at)
    assert all(d.outcome.channel is not None for d in said if isinstance(d.outcome, Publish))


@given(_SEEDS)
def test_both_arms_of_an_experiment_differ_by_the_message_alone(seed: int) -> None:
    # A late event takes back what was said, and nobody can take back what was not: histories here are in order.
    history = history_of(seed)
    treated = play(plan_of(_rules(_OFFERING), _WINDOW), history).decisions
    everything = {"everything": 100, "rules": dict.fromkeys(_TRANSACTIONAL, 100)}
    held = play(plan_of(_rules(_OFFERING), {**_WINDOW, "holdout": everything}), history).decisions
    assert not any(isinstance(d.outcome, Publish) for d in held)
    assert [_as_if_said(d) for d in held] == treated


@given(_SEEDS)
def test_of_one_need_a_user_never_sees_two_live_offers(seed: int) -> None:
    rules = _rules(_OFFERING)
    decisions = play(
        plan_of(rules, {**_WINDOW, "frequency_cap": {"marketing": 20}}), history_of(seed)
    ).decisions
    live: dict[str, tuple[str, int]] = {}
    for d in decisions:
        if isinstance(d.outcome, Publish) and d.candidate.offer is not None:
            need = rules[d.candidate.rule]["need"]
            name, until = live.get(need, (d.candidate.offer, 0))
            assert d.offer_until is not None
            if d.at < until:
                assert (d.candidate.offer, d.offer_until) == (name, until)
            live[need] = (d.candidate.offer, d.offer_until)


@pytest.mark.parametrize("cap", [0, 1, 2, 5])
def test_of_a_hundred_candidates_of_one_moment_the_cap_lets_exactly_as_many_pass(cap: int) -> None:
    shop = Shop(plan_of({"payment_pending": {"transactional": False}}, {"frequency_cap": {"marketing": cap}}))
    line = events.Line(sku="k1", quantity=1)
    for number in range(100):
        at, name = START + number // 16, f"o{number}"  # sixteen to a moment are asked for at most
        order = events.OrderPlaced(event_id=name, ts=at, user_id=USER, order_id=name, lines=(line,), total=1)
        shop.take(order, at)
        if number % 16 == 15:
            shop.advance(at + HOUR)
    shop.advance(FOREVER)
    assert len(shop.decisions) == 100
    assert sum(isinstance(d.outcome, Publish) for d in shop.decisions) == cap


def test_where_too_many_wait_the_least_important_goes() -> None:
    rules: dict[str, dict[str, Any]] = {
        "payment_pending": {"transactional": False, "quiet_hours": "defer", "priority": 1},
        "cart_abandoned": {"delay": "10m", "second_delay": None},
    }
    shop = Shop(
        plan_of(rules, {"arbitration": {"window": "2h"}, "quiet_hours": {"start": "00:00", "end": "00:00"}})
    )
    line = events.Line(sku="k1", quantity=1)
    for number in range(PENDING_LIMIT):
        name = f"o{number}"
        order = events.OrderPlaced(
            event_id=name, ts=START + number, user_id=USER, order_id=name, lines=(line,), total=1
        )
        shop.take(order, START + number)
    shop.advance(START + HOUR)
    at = START + HOUR
    shop.take(events.CartItemAdded(event_id="c", ts=at, user_id=USER, sku="k2", quantity=1, price=1), at)
    shop.advance(FOREVER)
    full = [d.candidate.rule for d in shop.decisions if _is(d, Reason.PENDING_FULL)]
    said = [d.candidate.rule for d in shop.decisions if isinstance(d.outcome, Publish)]
    assert full == ["payment_pending"]
    assert said == ["cart_abandoned"]


def test_variants_are_spread_as_the_percentages_say_and_stay_when_these_move() -> None:
    users = [f"user-{number}" for number in range(20_000)]
    half = {user: variant_of("cart_abandoned", user, {"plain": 50, "urgent": 50}) for user in users}
    more = {user: variant_of("cart_abandoned", user, {"plain": 60, "urgent": 40}) for user in users}
    other = {user: variant_of("winback", user, {"plain": 50, "urgent": 50}) for user in users}
    assert abs(Counter(half.values())["plain"] - 10_000) < 300  # four standard deviations
    moved = [user for user in users if half[user] != more[user]]
    assert abs(len(moved) - 2_000) < 200
    assert {more[user] for user in moved} == {"plain"}
    agreeing = sum(half[user] == other[user] for user in users)
    assert abs(agreeing - 10_000) < 300  # rules are independent of each other


@given(_SEEDS)
def test_offers_of_two_ids_become_one_per_need(seed: int) -> None:
    chance = Random(seed)
    ours, theirs = (
        Contact(offers={f"need{n}": Offer(f"o{chance.randrange(3)}", chance.randrange(9)) for n in places})
        for places in (range(6), range(3, 12))
    )
    merged = {**ours.offers}
    for need, offer in theirs.offers.items():
        merged[need] = max((merged.get(need, offer), offer), key=lambda made: (made.until, made.name))
    ours.unite(theirs)
    kept = sorted(merged, key=lambda need: (merged[need].until, need))[-OFFERS_LIMIT:]
    assert ours.offers == {need: merged[need] for need in kept}


def _is(decision: Decision, reason: Reason) -> bool:
    return isinstance(decision.outcome, Suppress) and decision.outcome.reason is reason


def _as_if_said(decision: Decision) -> Decision:
    outcome = decision.outcome
    if isinstance(outcome, Suppress) and outcome.reason is Reason.HOLDOUT:
        return replace(decision, outcome=Publish(outcome.channel))
    return decision
