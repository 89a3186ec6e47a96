"""Does every order that stands hear once how to use what came with it?"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from state.calendar import DAY
from tests.oracles.kit import Told, scattered, told
from tests.oracles.orders_told import Known, Waiting, expected, story
from tests.state.history import USER

CATEGORIES = {"f1": "formula", "t1": "tea", "x1": None}
PARAMS: dict[str, Any] = {
    "guides": {"formula": "bottle_guide"},
    "default_guide": None,
    "valid_for": "9999d",
}


def _waiting(known: dict[str, Known], marks: set[Any], now: int) -> Iterator[Waiting]:
    for order_id, order in known.items():
        if order_id in marks or order.placed_at is None or order.cancelled or order.refunds:
            continue
        if order.delivered_at is not None:
            due = order.delivered_at + 3 * DAY
        elif order.paid_at is not None:
            due = order.paid_at + 5 * DAY
        else:
            continue
        skus = tuple(sku for sku, _, _ in order.lines)
        guided = any(of == "formula" for _, of, _ in order.lines)
        yield Waiting(due, order_id, Told(USER, 1, order.placed_by, due, skus) if guided else None)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_who_is_told_is_who_the_whole_history_says(seed: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, story(chance, chance.randint(0, 25), CATEGORIES))
    assert sorted(told("post_purchase_care", PARAMS, arrivals)) == sorted(expected(arrivals, _waiting))
