"""Is the same decided however much is read at once, also of what comes late?"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from state import events
from state.calendar import DAY, HOUR
from tests.state.history import USER
from tests.triggers.golden import plan_of
from tests.triggers.shop import FOREVER, Shop
from tests.triggers.test_decide import ALL, history_of, play, takes_back, told
from triggers.plan import Plan
from triggers.trigger import Defer, Publish

_SEEDS = st.integers(0, 2**32)


@given(_SEEDS, _SEEDS)
def test_what_is_decided_does_not_depend_on_the_pace_of_reading(seed: int, pace: int) -> None:
    # A no counts from the moment it is read, so with it the pace does matter.
    plan = plan_of(ALL, {})
    history = [e for e in history_of(seed) if not takes_back(e)]
    timely, hasty = play(plan, history), play(plan, history, eager=False, seed=pace)
    assert told(hasty) == told(timely)


def _belated(history: list[Any], seed: int) -> list[tuple[int, Any]]:
    """When each is read, and the event, which may have happened long before that."""
    chance = Random(seed)
    read = []
    for event in history:
        behind = (
            chance.choice((0, 0, 2 * HOUR, 3 * DAY, 40 * DAY)) if isinstance(event, events.UserEvent) else 0
        )
        read.append((event.ts, structs.replace(event, ts=event.ts - behind) if behind else event))
    return read


def _play_belated(plan: Plan, read: list[tuple[int, Any]], *, eager: bool = True, seed: int = 0) -> Shop:
    shop, chance = Shop(plan, lateness=HOUR, eager=eager), Random(seed)
    for at, event in read:
        before = len(shop.decisions)
        shop.take(event, at)
        if eager and event.ts < at:
            assert not [
                d for d in shop.decisions[before:] if isinstance(d.outcome, Publish | Defer) and d.at == at
            ]
        if not eager and chance.random() < 0.2:
            shop.advance(at)
    shop.advance(FOREVER)
    return shop


@given(_SEEDS, _SEEDS)
def test_what_comes_late_is_not_told_at_once_at_any_pace_of_reading(seed: int, pace: int) -> None:
    plan = plan_of(ALL, {})
    read = _belated([e for e in history_of(seed) if not takes_back(e)], pace)
    timely, hasty = _play_belated(plan, read), _play_belated(plan, read, eager=False, seed=pace)
    assert told(hasty) == told(timely)


def test_points_that_expire_are_warned_of_before_a_view_of_later_makes_the_looking_around_complete() -> None:
    plan = plan_of({"points_expiring": {"before": ["1d"]}, "browse_abandoned": {"min_views": 2}}, None)
    shop = Shop(plan, eager=False)
    points: dict[str, Any] = {"lot_id": "l1", "points": 9, "expires_at": 3 * DAY}
    shop.take(events.PointsGranted(event_id="e0", ts=0, user_id=USER, **points), 0)
    for at in (1, 4 * DAY):
        shop.take(events.ProductViewed(event_id=f"e{at}", ts=at, user_id=USER, sku="k1"), at)
    assert [d.at for d in shop.decisions] == [2 * DAY]


@pytest.mark.parametrize("rule", ALL)
@settings(max_examples=25)
@given(seed=_SEEDS, pace=_SEEDS)
def test_alone_too_no_rule_depends_on_the_pace_of_reading(rule: str, seed: int, pace: int) -> None:
    """Where others listen, they let happen in time what this one has forgotten to ask for (`swayed_by`)."""
    plan = plan_of({rule: ALL[rule]}, None)
    history = [e for e in history_of(seed) if not takes_back(e)]
    timely, hasty = play(plan, history), play(plan, history, eager=False, seed=pace)
    assert told(hasty) == told(timely)


@pytest.mark.parametrize(("ordered_at", "cancelled_at", "told"), [(4 * DAY, None, 1), (DAY, 4 * DAY, 0)])
def test_a_reminder_of_a_favourite_that_is_due_comes_before_an_order_or_its_end(
    ordered_at: int, cancelled_at: int | None, told: int
) -> None:
    shop = Shop(plan_of({"favorite_reminder": {"delay": "3d"}}, None), eager=False)
    line = events.Line(sku="k1", quantity=1)
    order: dict[str, Any] = {"user_id": USER, "order_id": "o"}
    shop.take(events.Favorited(event_id="e1", ts=0, user_id=USER, sku="k1"), 0)
    shop.take(events.OrderPlaced(event_id="e2", ts=ordered_at, lines=(line,), total=1, **order), ordered_at)
    if cancelled_at is not None:
        shop.take(events.OrderCancelled(event_id="e3", ts=cancelled_at, **order), cancelled_at)
    shop.advance(FOREVER)
    assert [d.at for d in shop.decisions] == [3 * DAY] * told
