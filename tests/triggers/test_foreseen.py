"""Does what `explain` foresees come true, and does a gate let pass when it says so?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from state.calendar import iso, millis
from state.history import DECISIONS_LIMIT
from state.user import User, pack
from tests.state.history import USER
from tests.triggers.golden import plan_of
from tests.triggers.shop import FOREVER, Shop
from tests.triggers.test_decide import ALL, history_of, play
from triggers.explain import AHEAD, FORESEEN_LIMIT, explain
from triggers.explanation import Explanation
from triggers.history import VERDICTS, decided
from triggers.plan import Plan
from triggers.policy.gate import Proposal
from triggers.policy.words import REASONS, WORDS
from triggers.trigger import Asked, Candidate, Retract

POLICY: dict[str, Any] = {"arbitration": {"window": "60s"}, "holdout": {"everything": 30}}


def _no_facts(sku: str) -> None:
    return None


def _explained_at_the_end(seed: int) -> tuple[Shop, Plan, Explanation, int]:
    history, plan = history_of(seed), plan_of(ALL, POLICY)
    now = history[-1].ts
    shop = Shop(plan)
    for event in history:
        shop.take(event, event.ts)
    shop.advance(now + 1)
    user = shop.user(USER)
    before = pack(user)
    found = explain(user, plan, shop._facts, as_of=now)
    assert pack(user) == before, "explaining has changed the user"
    return shop, plan, found, now


@settings(max_examples=25)  # each looks a year ahead
@given(st.integers(0, 2**32))
def test_what_is_foreseen_is_what_happens_if_nothing_else_does(seed: int) -> None:
    shop, _, found, now = _explained_at_the_end(seed)
    so_far = len(shop.decisions)
    shop.advance(FOREVER)
    for told in found.rules:
        then = [
            decided(each)
            for each in shop.decisions[so_far:]
            if each.candidate.rule == told.rule and each.at <= now + AHEAD
        ]
        assert [(each.at, each.verdict, each.reason or "") for each in told.foreseen] == [
            (iso(each.at), each.verdict, each.reason) for each in then[:FORESEEN_LIMIT]
        ]


@settings(max_examples=25)  # each looks a year ahead
@given(st.integers(0, 2**32))
def test_what_a_gate_says_no_to_until_then_it_lets_pass_then_and_not_before(seed: int) -> None:
    shop, plan, found, _ = _explained_at_the_end(seed)
    user = shop.user(USER)
    for told in found.rules:
        for refusal in told.refusals:
            gate, params = next((g, s) for g, s in plan.gates if g.name == refusal.gate)
            assert refusal.text.startswith(tuple(REASONS.values())) or refusal.gate in WORDS
            if refusal.until is not None:
                until = millis(datetime.fromisoformat(refusal.until))
                asked = [_proposal(user, plan, told.rule, at) for at in (until - 1, until)]
                assert [gate.refuse is not None and gate.refuse(each, params) is None for each in asked] == [
                    False,
                    True,
                ]


def _proposal(user: User, plan: Plan, rule: str, at: int) -> Proposal:
    candidate = Candidate(rule=rule, version=1, user_id=USER, step=1, anchor="", at=at, reason="")
    asked = Asked(user, None, at, _no_facts, plan.fold)
    return Proposal(asked, candidate, plan.armed[rule].params, "in_app")


@settings(max_examples=25)  # each looks a year ahead
@given(st.integers(0, 2**32))
def test_a_word_is_there_for_every_decision(seed: int) -> None:
    shop, _, found, _ = _explained_at_the_end(seed)
    told = [each for rule in found.rules for each in rule.decisions]
    assert len(told) == len(shop.user(USER).history.last)


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.booleans())
def test_a_user_remembers_what_was_decided_last(seed: int, eager: bool) -> None:
    shop = play(plan_of(ALL, POLICY), history_of(seed), eager=eager, seed=seed)
    latest = {(d.candidate.rule, d.candidate.step, d.candidate.anchor): d for d in shop.decisions}
    known = shop.user(USER).history.last
    assert len(known) == min(len(latest), DECISIONS_LIMIT)
    for each in known:
        decision = latest[each.rule, each.step, each.anchor]
        assert each.verdict == VERDICTS[type(decision.outcome)]
        times = (decision.at, decision.candidate.at)
        assert isinstance(decision.outcome, Retract) or (each.at, each.due) == times
