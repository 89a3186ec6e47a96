"""Do the conditions of a rule say what it does: all met exactly when it speaks, what it waits for among them?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state import events
from state.calendar import DAY, HOUR, MINUTE, SECOND, iso
from state.scores import Cuts
from tests.state.history import START, USER
from tests.triggers.golden import TESTS, cases_of, plan_of, run
from tests.triggers.shop import FOLD, Shop
from tests.triggers.test_decide import ALL, history_of, play
from tests.triggers.watched import watched
from triggers.catalog import RULES
from triggers.explain import explain
from triggers.why import ago, listed, when

_ABOUT: dict[str, Any] = {"ts": START, "user_id": USER, "order_id": "o1"}
ORDER_PAID = (
    events.OrderPlaced(event_id="e1", lines=(events.Line(sku="k1", quantity=1),), total=1, **_ABOUT),
    events.OrderPaid(event_id="e2", **_ABOUT),
)


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_conditions_agree_with_the_rule_in_its_own_cases(rule: str) -> None:
    agreed: set[tuple[str, bool]] = set()
    for case in cases_of(TESTS / "cases" / f"{rule}.yaml"):
        run(case, {rule: case.params}, lambda plan: watched(plan, agreed))
    assert {(rule, True), (rule, False)} <= agreed


@settings(max_examples=40)  # each question is asked twice
@given(st.integers(0, 2**32), st.booleans())
def test_conditions_agree_with_all_rules_in_any_history(seed: int, policy: bool) -> None:
    play(watched(plan_of(ALL, {} if policy else None), set()), history_of(seed))


@settings(max_examples=40)  # each question is asked twice
@given(st.integers(0, 2**32))
def test_conditions_agree_where_events_come_out_of_order(seed: int) -> None:
    history = sorted(history_of(seed), key=lambda event: event.ts // HOUR)
    play(watched(plan_of(ALL, None), set()), history)


@settings(max_examples=40)  # each question is asked twice
@given(st.integers(0, 2**32))
def test_conditions_agree_where_segments_go_by_scores(seed: int) -> None:
    cuts = Cuts(version="v", r=(1, 2, 3, 4), f=(1, 2, 3, 4), m=(1, 2, 3, 4), keep=(3, 2, 2))
    fold = replace(FOLD, segments=replace(FOLD.segments, by="cuts", cuts=cuts))
    play(watched(plan_of(ALL, None, fold), set()), history_of(seed))


def test_a_change_of_segment_by_scores_says_that_others_may_change_it() -> None:
    cuts = Cuts(version="v", r=(1, 2, 3, 4), f=(2, 3, 4, 5), m=(2, 3, 4, 5))
    fold = replace(FOLD, segments=replace(FOLD.segments, by="cuts", cuts=cuts))
    plan = plan_of({"segment_changed": {}}, None, fold)
    shop = Shop(watched(plan, set()))
    for event in ORDER_PAID:
        shop.take(event, event.ts)
    found = explain(shop.user(USER), plan, shop._facts, as_of=ORDER_PAID[-1].ts, rule="segment_changed")
    differs, _ = found.rules[0].conditions
    assert differs.met
    assert differs.text == (
        "the segment is another than the one told, none: now growing by scores, which others may change"
    )


@pytest.mark.parametrize(
    ("ts", "text"),
    [(0, "1970-01-01 00:00Z"), (61_999, "1970-01-01 00:01:01Z"), (DAY + HOUR, "1970-01-02 01:00Z")],
)
def test_a_moment_in_words(ts: int, text: str) -> None:
    assert when(ts) == text


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0, "now"),
        (999, "now"),
        (SECOND, "in 1 s"),
        (119 * SECOND, "in 119 s"),
        (2 * MINUTE, "in 2 min"),
        (-119 * MINUTE, "119 min ago"),
        (-2 * HOUR, "2 h ago"),
        (47 * HOUR, "in 47 h"),
        (-2 * DAY, "2 days ago"),
    ],
)
def test_how_long_it_is_in_words(span: int, text: str) -> None:
    assert ago(DAY * 9 + span, DAY * 9) == text


def test_of_many_names_a_few_are_said() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_a_change_of_segment_is_settled_no_later_than_time_may_change_it_again() -> None:
    """An order that is soon too old: what it changed cannot have stood for a day by then."""
    plan = plan_of({"segment_changed": {"settle_for": "40d"}}, None)
    shop = Shop(watched(plan, set()))
    for event in ORDER_PAID:
        shop.take(event, event.ts)
    found = explain(shop.user(USER), plan, shop._facts, as_of=ORDER_PAID[-1].ts, rule="segment_changed")
    assert [(each.met, each.at) for each in found.rules[0].conditions] == [
        (True, None),
        (False, iso(ORDER_PAID[-1].ts + 30 * DAY)),
    ]
