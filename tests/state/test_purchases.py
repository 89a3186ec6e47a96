"""Is what was bought what a list of all orders says, in whatever order the news of them comes?"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import DAY, HOUR
from state.fold import apply
from state.purchases import BOUGHT_SKUS_LIMIT, TIMES_LIMIT, Bought, Purchases
from state.user import User
from tests.state.history import START, USER
from tests.triggers.shop import FOLD

CATEGORY = {"k1": "tea", "k2": "tea", "k3": "cups", "k4": None}


def news_of(chance: Random, number: int, ts: int) -> tuple[list[Any], dict[str, int]]:
    """All that is told of one order, and when each SKU of it was bought for good."""
    about: dict[str, Any] = {"user_id": USER, "order_id": f"o{number}"}
    chosen = chance.sample(sorted(CATEGORY), chance.randint(1, 3))
    pieces = {sku: chance.randint(1, 3) for sku in chosen}
    lines = tuple(events.Line(sku=k, quantity=n, category=CATEGORY[k]) for k, n in pieces.items())
    said: list[Any] = [events.OrderPlaced(event_id=f"p{number}", ts=ts, lines=lines, total=100, **about)]
    kept = dict(pieces)
    if chance.random() < 0.8:
        said.append(events.OrderPaid(event_id=f"q{number}", ts=ts + HOUR, **about))
    else:
        kept = {}
    if chance.random() < 0.2:
        said.append(events.OrderCancelled(event_id=f"c{number}", ts=ts + 3 * HOUR, **about))
        kept = {}
    elif chance.random() < 0.4:
        sku, some = chance.choice(chosen), chance.randint(1, 2)
        back = (events.Line(sku=sku, quantity=some),)
        amount = chance.choice((10, 99, 100))
        said.append(
            events.RefundIssued(event_id=f"r{number}", ts=ts + 2 * HOUR, amount=amount, lines=back, **about)
        )
        if amount == 100:
            kept = {}
        elif sku in kept:
            kept[sku] -= some
    return said, {sku: ts + HOUR for sku, count in kept.items() if count > 0}


def _expected(bought: list[dict[str, int]], of: Any) -> dict[str, tuple[int, int, int]]:
    """Per key: purchase days, first and last day, by `of` a SKU."""
    days: dict[str, set[int]] = {}
    for order in bought:
        for sku, at in order.items():
            if of(sku) is not None:
                days.setdefault(of(sku), set()).add(at // DAY)
    return {key: (len(found), min(found), max(found)) for key, found in days.items()}


def _found(shelf: dict[str, Bought]) -> dict[str, tuple[int, int, int]]:
    return {
        key: (
            b.days_bought(FOLD.days),
            FOLD.days.of(b.last_at) - b.gaps(FOLD.days)[1] // DAY,
            FOLD.days.of(b.last_at),
        )
        for key, b in shelf.items()
    }


@given(st.integers(0, 2**32), st.integers(0, 6))
def test_it_is_what_all_orders_say_in_any_order_of_arrival(seed: int, count: int) -> None:
    chance = Random(seed)
    told = [news_of(chance, n, START + chance.randint(0, 40) * 6 * HOUR) for n in range(count)]
    said = [event for news, _ in told for event in news]
    chance.shuffle(said)
    known = User.new(USER)
    for event in said:
        apply(known, event, FOLD)
        apply(known, event, FOLD)
    bought = [kept for _, kept in told]
    assert _found(known.purchases.skus) == _expected(bought, lambda sku: sku)
    assert _found(known.purchases.categories) == _expected(bought, CATEGORY.get)


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_days_and_gaps_are_exact_for_ever_where_news_comes_in_order(seed: int, count: int) -> None:
    chance, at, bought, days = Random(seed), START, Bought(), set()
    for _ in range(count):
        at += chance.choice((HOUR, 5 * HOUR, 3 * DAY))
        bought.add(at, FOLD.days)
        days.add(at // DAY)
    assert bought.gaps(FOLD.days) == (len(days) - 1, (max(days) - min(days)) * DAY)
    assert len(bought.times) == min(count, TIMES_LIMIT)


@given(st.integers(0, 2**32), st.integers(0, 8))
def test_two_ids_are_one_person(seed: int, count: int) -> None:
    chance = Random(seed)
    one, parts = Purchases(), (Purchases(), Purchases())
    for number in range(count):
        held = {k: CATEGORY[k] for k in chance.sample(sorted(CATEGORY), chance.randint(1, 3))}
        for each in (one, parts[chance.randrange(2)]):
            each.change({}, held, START + number * DAY // 2, FOLD.days)
    parts[0].unite(parts[1], FOLD.days)
    assert parts[0] == one


def test_what_was_bought_once_and_long_ago_makes_room_first() -> None:
    known = Purchases()
    for at, sku in enumerate(["again", "again", *(f"k{n}" for n in range(BOUGHT_SKUS_LIMIT))]):
        known.change({}, {sku: None}, START + at * DAY, FOLD.days)
    assert set(known.skus) == {"again", *(f"k{n}" for n in range(1, BOUGHT_SKUS_LIMIT))}


def test_a_purchase_taken_back_leaves_the_one_before() -> None:
    known = Purchases()
    known.change({}, {"k1": "tea"}, START, FOLD.days)
    known.change({}, {"k1": "tea"}, START + DAY, FOLD.days)
    known.change({"k1": "tea"}, {}, START + DAY, FOLD.days)
    assert (known.skus["k1"].last_at, known.categories["tea"].last_at) == (START, START)
    known.change({"k1": "tea"}, {}, START, FOLD.days)
    assert known == Purchases()


@pytest.mark.parametrize("kept", [TIMES_LIMIT, TIMES_LIMIT + 2])
def test_a_purchase_that_is_known_no_more_can_still_be_taken_back(kept: int) -> None:
    bought = Bought()
    for number in range(kept):
        bought.add(START + number * DAY, FOLD.days)
    assert not bought.remove(START)
    assert bought.days_bought(FOLD.days) == kept - 1
