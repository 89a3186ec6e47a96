"""Is a user in the stage the table says, and does the stage change by time only when foretold?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state import events
from state.calendar import DAY
from state.fold import apply
from state.lifecycle import ASLEEP, LifecycleParams, Stage, next_change_at, stage_of
from state.union import unite
from state.user import User
from tests.triggers.shop import FOLD

PARAMS = FOLD.lifecycle
NOW = 1_000 * DAY

# days ago of: registered, first order, last order, last visit (None: never); orders; the stage
EXAMPLES: list[tuple[float | None, float | None, float | None, float | None, int, Stage | None]] = [
    (None, None, None, 1, 0, None),  # a visitor
    (1, None, None, 1, 0, "prospect"),
    (500, None, None, 500, 0, "prospect"),  # never bought: cannot be lost
    (1, 0, 0, 0, 1, "new"),
    (None, 29.9, 29.9, 1, 1, "new"),
    (None, 29.9, 1, 1, 9, "new"),  # new by the first order, whatever followed
    (None, 30, 29, 1, 2, "active"),
    (None, 30, 30, 1, 1, "maturing"),
    (None, 100, 30, 1, 4, "maturing"),  # not every month
    (None, 100, 29.9, 1, 4, "active"),
    (None, 100, 29.9, 1, 5, "mature"),
    (None, 100, 30, 1, 5, "maturing"),
    (None, 100, 29.9, None, 5, "mature"),  # the order is a visit
    (None, 100, 31, 30, 5, "declining"),
    (None, 100, 31, 29.9, 5, "maturing"),
    (None, 100, 90, 1, 5, "dormant"),
    (None, 100, 89.9, 1, 5, "maturing"),
    (None, 100, 91, 89.9, 5, "dormant"),
    (None, 100, 91, 90, 5, "churned"),
]


def _user(*ago: float | None, orders: int, stage: Stage | None = None) -> User:
    registered, first, last, visit = (None if a is None else NOW - round(a * DAY) for a in ago)
    user = User.new("u1")
    user.registered_at, user.activity.last_visit_at = registered, visit
    user.rfm.first_order_at, user.rfm.last_order_at, user.rfm.orders = first, last, orders
    user.lifecycle.stage = stage
    return user


@pytest.mark.parametrize("example", EXAMPLES)
def test_stages_by_example(example: tuple[Any, ...]) -> None:
    *ago, orders, expected = example
    assert stage_of(_user(*ago, orders=orders), NOW, PARAMS) == expected


@pytest.mark.parametrize(
    ("returned_ago", "expected"), [(0, "returned"), (29.9, "returned"), (30, "active"), (None, "active")]
)
def test_returned_lasts_for_a_while(returned_ago: float | None, expected: Stage) -> None:
    user = _user(None, 300, 0, 0, orders=2)
    user.lifecycle.returned_at = None if returned_ago is None else NOW - round(returned_ago * DAY)
    assert stage_of(user, NOW, PARAMS) == expected


def test_an_order_after_dormancy_is_a_return_and_a_sooner_one_is_not() -> None:
    for gap, expected in ((90 * DAY, True), (90 * DAY - 1, False)):
        user = User.new("u1")
        for n, ts in enumerate((0, gap)):
            line = events.Line(sku="k1", quantity=1)
            about: dict[str, Any] = {"ts": ts, "user_id": "u1", "order_id": f"o{n}"}
            apply(user, events.OrderPlaced(event_id=f"p{n}", lines=(line,), total=1, **about), FOLD)
            apply(user, events.OrderPaid(event_id=f"${n}", **about), FOLD)
        assert (user.lifecycle.returned_at is not None) is expected


@pytest.mark.parametrize(
    ("visits", "expected"),
    [
        ([], "declining"),
        ([0], "declining"),
        ([0, 0.1], "declining"),
        ([0, 1], "maturing"),
        ([1, 0], "maturing"),
        ([-1, 0], "declining"),
    ],
)
def test_declining_ends_with_visits_on_two_days(visits: list[float], expected: Stage) -> None:
    user = _user(None, 100, 40, 31, orders=3, stage="declining")
    user.lifecycle.since = NOW - 10 * DAY
    for n, day in enumerate(visits):
        ts = NOW - 10 * DAY + round(day * DAY)
        apply(user, events.SessionStarted(event_id=f"e{n}", ts=ts, user_id="u1"), FOLD)
    user.activity.last_visit_at = NOW
    assert stage_of(user, NOW, PARAMS) == expected


_AGO = st.integers(0, 200 * 24).map(lambda hours: hours / 24)


@given(_AGO, _AGO, st.none() | _AGO, st.integers(1, 6), st.none() | _AGO)
def test_between_two_foretold_moments_time_changes_nothing(
    first: float, last: float, visit: float | None, orders: int, returned: float | None
) -> None:
    user = _user(1, max(first, last), min(first, last), visit, orders=orders)
    user.lifecycle.returned_at = None if returned is None else NOW - round(returned * DAY)
    user.decided_at = NOW
    while (change := next_change_at(user, PARAMS)) is not None:
        stage = user.lifecycle.stage = stage_of(user, user.decided_at, PARAMS)
        assert change > user.decided_at
        step = max(1, (change - user.decided_at) // 7)
        moments = [*range(user.decided_at, change, step), change - 1]
        assert {stage_of(user, moment, PARAMS) for moment in moments} == {stage}
        user.decided_at = change
    stage = user.lifecycle.stage = stage_of(user, user.decided_at, PARAMS)
    assert stage_of(user, user.decided_at + 10_000 * DAY, PARAMS) == stage == "churned"


def test_nothing_is_foretold_of_one_who_never_bought() -> None:
    assert next_change_at(_user(1, None, None, 1, orders=0), PARAMS) is None


OWN = replace(PARAMS, by="own_cycle")  # drawn towards 60 days as by two gaps; one, two, four gaps of silence


def _bought(params: LifecycleParams, *at: int, user_id: str = "u1") -> User:
    """Orders paid on these days."""
    user = User.new(user_id)
    for day in at:
        line = events.Line(sku="k1", quantity=1)
        about: dict[str, Any] = {"ts": day * DAY, "user_id": user_id, "order_id": f"o{day}"}
        fold = replace(FOLD, lifecycle=params)
        apply(user, events.OrderPlaced(event_id=f"p{day}", lines=(line,), total=1, **about), fold)
        apply(user, events.OrderPaid(event_id=f"${day}", **about), fold)
    return user


@pytest.mark.parametrize(
    ("orders", "day", "expected"),
    [
        ([0], 59.9, "new"),  # her gap is the typical one
        ([0], 60, "declining"),
        ([0], 120, "dormant"),
        ([0], 240, "churned"),
        ([0, 30], 79.9, "active"),  # (2 * 60 + 30) / 3 = 50 days
        ([0, 30], 80, "declining"),
        ([0, 7, 14, 21, 28, 35], 35 + 22.1, "mature"),  # (2 * 60 + 35) / 7 = 22.14 days
        ([0, 7, 14, 21, 28, 35], 35 + 22.2, "declining"),
        ([0, 7, 14, 21, 28, 35], 35 + 4 * 22.2, "churned"),
        ([0, 200], 200, "returned"),
        ([0, 119], 119, "active"),
        ([0, 200], 230, "active"),
    ],
)
def test_by_own_cycle_a_silence_is_measured_by_her_own_gaps(
    orders: list[int], day: float, expected: Stage
) -> None:
    user = _bought(OWN, *orders)
    user.activity.last_visit_at = round(day * DAY)  # visits do not matter
    assert stage_of(user, round(day * DAY), OWN) == expected


_ORDER_DAYS = st.lists(st.integers(0, 900), min_size=1, max_size=9, unique=True).map(sorted)


@given(_ORDER_DAYS)
def test_by_own_cycle_time_moves_one_way_and_only_when_foretold(order_days: list[int]) -> None:
    """Nobody flaps: between two orders the stages come in their order, each at the moment that was waited for."""
    user = _bought(OWN, *order_days)
    user.decided_at, seen = order_days[-1] * DAY, []
    while True:
        seen.append(stage_of(user, user.decided_at, OWN))
        change = next_change_at(user, OWN)
        if change is None:
            break
        assert stage_of(user, change - 1, OWN) == seen[-1]
        user.decided_at = change
    awake = [stage for stage in seen if stage not in ASLEEP]
    assert [stage for stage in seen if stage in ASLEEP] == ["declining", "dormant", "churned"]
    assert seen[: len(awake)] == awake


@given(_ORDER_DAYS, st.data())
def test_by_own_cycle_two_ids_return_when_one_would_have(order_days: list[int], data: st.DataObject) -> None:
    fold = replace(FOLD, lifecycle=OWN)
    whose = data.draw(st.lists(st.booleans(), min_size=len(order_days), max_size=len(order_days)))
    one = _bought(OWN, *order_days)
    parts = [
        [day for day, mine in zip(order_days, whose, strict=True) if mine is each] for each in (True, False)
    ]
    a, b = (_bought(OWN, *part, user_id=name) for name, part in zip(("a", "b"), parts, strict=True))
    unite(a, b, fold)
    assert a.lifecycle.returned_at == one.lifecycle.returned_at
    now = (order_days[-1] + data.draw(st.integers(0, 300))) * DAY
    assert stage_of(a, now, OWN) == stage_of(one, now, OWN)
