"""Are R, F and M what a batch over all orders says, whatever the order of the events?"""

from __future__ import annotations

import random
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from state import events, union
from state.calendar import DAY, Days
from state.fold import apply
from state.folding import FoldParams
from state.orders import ORDERS_LIMIT, REFUND_DAYS_LIMIT
from state.rfm import KEPT_DAYS
from state.user import User
from tests.state.orders_model import NOW, WIDTHS, Bought, Sums, batch, shopping, told
from tests.triggers.shop import FOLD

ZONES = ("UTC", "Asia/Shanghai", "America/New_York")
CountOn = Literal["paid", "placed"]


def _fold(count_on: CountOn, zone: str) -> FoldParams:
    return structs.replace(FOLD, count_on=count_on, days=Days(zone))


def _sums(user: User, params: FoldParams) -> Sums:
    rfm = user.rfm
    windows = {width: rfm.window(NOW, width, params.days) for width in WIDTHS}
    return Sums(rfm.orders, rfm.net_amount, rfm.first_order_at, rfm.last_order_at, windows)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("count_on", ["paid", "placed"])
@given(orders=shopping(), data=st.data())
def test_sums_equal_the_batch_in_any_order_with_repeats(
    count_on: CountOn, zone: str, orders: list[Bought], data: st.DataObject
) -> None:
    sent = told(orders)
    repeats = data.draw(st.lists(st.sampled_from(sent), max_size=10)) if sent else []
    params, user = _fold(count_on, zone), User.new("u1")
    for event in data.draw(st.permutations([*sent, *repeats])):
        apply(user, event, params)
    assert _sums(user, params) == batch(orders, count_on, zone)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), zone=st.sampled_from(ZONES))
def test_sums_stay_exact_far_beyond_the_orders_remembered(seed: int, zone: str) -> None:
    chance = random.Random(seed)
    orders = [
        Bought(f"o{n}", ts := NOW - chance.randrange(1000 * DAY), ts + 1, None, chance.randrange(10_000), ())
        for n in range(300)
    ]
    params, user = _fold("paid", zone), User.new("u1")
    for order in chance.sample(orders, len(orders)):
        for event in told([order]):
            apply(user, event, params)
    assert _sums(user, params) == batch(orders, "paid", zone)
    assert len(user.rfm.orders_by_day) <= KEPT_DAYS


@pytest.mark.parametrize("count_on", ["paid", "placed"])
@given(orders=shopping(), data=st.data())
def test_the_first_and_last_order_are_known_by_the_event_that_counted(
    count_on: CountOn, orders: list[Bought], data: st.DataObject
) -> None:
    params, user = _fold(count_on, "UTC"), User.new("u1")
    for event in data.draw(st.permutations(told(orders))):
        apply(user, event, params)
    mark = "p" if count_on == "placed" else "$"
    counted = sorted((ts, o.order_id + mark) for o in orders if (ts := o.counted_at(count_on)) is not None)
    expected: Any = (counted[0][1], counted[-1][1]) if counted else (None, None)
    assert (user.orders.first_counted, user.orders.last_counted) == expected


@given(orders=shopping(), data=st.data())
def test_purchase_days_are_counted_exactly_within_a_year(orders: list[Bought], data: st.DataObject) -> None:
    """In any order, with cancellations, and by two ids that turn out to be one person."""
    year = [_within_a_year(order) for order in orders]
    sent = data.draw(st.permutations(told(year)))
    here, there = User.new("u1"), User.new("u2")
    known_there = {order.order_id for order in year if data.draw(st.booleans())}
    for event in sent:
        apply(there if getattr(event, "order_id", "") in known_there else here, event, FOLD)
    union.unite(here, there, FOLD)
    days = {ts // DAY for order in year if (ts := order.counted_at("paid")) is not None}
    assert here.rfm.purchase_days == len(days)


def _within_a_year(order: Bought) -> Bought:
    """On one of 30 days of it, so that orders share days."""
    moved = NOW // DAY * DAY - order.placed_at // DAY % 30 * 12 * DAY + order.placed_at % DAY
    paid_at = None if order.paid_at is None else moved + 1
    return structs.replace(order, placed_at=moved, paid_at=paid_at)


def test_of_days_long_gone_an_order_is_taken_to_be_the_only_one() -> None:
    user = User.new("u1")
    for name, ts in (("o1", NOW), ("o2", NOW - 500 * DAY), ("o3", NOW - 500 * DAY)):
        for event in told([Bought(name, ts, ts, None, 1, ())]):
            apply(user, event, FOLD)
    assert user.rfm.purchase_days == 3
    cancelled = [Bought(name, NOW, NOW, NOW, 1, ()) for name in ("o1", "o2", "o3")]
    for event in told(cancelled)[2::3]:
        apply(user, event, FOLD)
    assert (user.rfm.orders, user.rfm.purchase_days) == (0, 0)


def test_an_order_of_a_day_long_gone_leaves_no_hole_as_it_is_cancelled() -> None:
    user = User.new("u1")
    orders = [
        Bought("old", NOW, NOW, None, 7, ()),
        Bought("new", NOW + 500 * DAY, NOW + 500 * DAY, None, 9, ()),
    ]
    for event in told(orders):
        apply(user, event, FOLD)
    for name in ("new", "old"):  # of the newest day nothing is left, so no day is known to be too old
        event = events.OrderCancelled(event_id=f"c{name}", ts=NOW + 501 * DAY, user_id="u1", order_id=name)
        apply(user, event, FOLD)
    assert (user.rfm.orders, user.rfm.net_amount, user.rfm.purchase_days) == (0, 0, 0)
    assert (user.rfm.orders_by_day, user.rfm.net_by_day) == ({}, {})


def test_cancelling_the_last_order_makes_the_one_before_the_last() -> None:
    params, user = _fold("paid", "UTC"), User.new("u1")
    for event in told(
        [*_one_a_day(40), Bought("last", NOW + 50 * DAY, NOW + 50 * DAY, NOW + 51 * DAY, 10, ())]
    ):
        apply(user, event, params)
    assert user.rfm.orders == 40
    assert (user.rfm.last_order_at, user.orders.last_counted) == (NOW + 39 * DAY, "o39$")


def test_cancelling_every_order_remembered_leaves_the_day_of_the_last_one_forgotten() -> None:
    params, user = _fold("paid", "UTC"), User.new("u1")
    orders = _one_a_day(ORDERS_LIMIT + 8)
    cancelled = [structs.replace(order, cancelled_at=NOW + 90 * DAY) for order in orders[8:]]
    for event in [*told(orders), *told(cancelled)]:
        apply(user, event, params)
    assert user.rfm.orders == 8
    assert user.rfm.last_order_at == params.days.start(params.days.of(NOW + 7 * DAY))
    assert user.orders.last_counted is None


def test_refunds_on_more_days_than_an_order_remembers_still_go_with_it() -> None:
    params, user = _fold("paid", "UTC"), User.new("u1")
    many = tuple((NOW + n * DAY, 1) for n in range(REFUND_DAYS_LIMIT + 4))
    order = Bought("o1", NOW, NOW, None, 100, many)
    for event in told([order]):
        apply(user, event, params)
    assert user.rfm.net_amount == 100 - len(many)
    assert len(user.orders.by_id["o1"].refunds) == REFUND_DAYS_LIMIT
    for event in told([structs.replace(order, cancelled_at=NOW)]):
        apply(user, event, params)
    assert user.rfm.net_amount == 0


def _one_a_day(count: int) -> list[Bought]:
    return [Bought(f"o{n}", NOW + n * DAY, NOW + n * DAY, None, 10, ()) for n in range(count)]
