"""Is a companion named once an order, to those who do not have it?"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.calendar import DAY
from tests.oracles.kit import Told, scattered, told
from tests.oracles.orders_told import Known, Waiting, expected, story
from tests.state.history import USER

CATEGORIES = {"f1": "formula", "f2": "formula", "d1": "diapers", "p1": "phone", "c1": "case", "x1": None}
COMPANIONS = {"formula": "diapers", "phone": "case"}


def _owned(known: dict[str, Known], companion: str, due: int, now: int, owned_for: int | None) -> bool:
    since = 0 if owned_for is None else due - owned_for * DAY
    for order in known.values():
        at = order.placed_at if order.paid_at is None else order.paid_at
        if at is not None and since <= at <= now and companion in order.held().values():
            return True
    return False


@pytest.mark.parametrize(("delay", "owned_for"), [(0, 9), (2, 9), (2, None)])
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_who_is_told_is_who_the_whole_history_says(delay: int, owned_for: int | None, seed: int) -> None:
    def waiting(known: dict[str, Known], marks: set[Any], now: int) -> Iterator[Waiting]:
        for order_id, order in known.items():
            if order.delivered_at is None:
                continue
            due = order.delivered_at + delay * DAY
            for category, companion in COMPANIONS.items():
                if (order_id, companion) in marks or category not in [of for _, of, _ in order.lines]:
                    continue
                skus = tuple(dict.fromkeys(sku for sku, of in order.held().items() if of == category))
                has = _owned(known, companion, due, max(due, now), owned_for)
                told_so = Told(USER, 1, f"{order.placed_by}:{companion}", due, skus)
                yield Waiting(due, (order_id, companion), None if has or not skus else told_so)

    chance = Random(seed)
    arrivals = scattered(chance, story(chance, chance.randint(0, 25), CATEGORIES))
    params: dict[str, Any] = {
        "companions": COMPANIONS,
        "delay": f"{delay}d",
        "owned_for": None if owned_for is None else f"{owned_for}d",
        "valid_for": "9999d",
    }
    found = expected(arrivals, waiting, at_once=delay == 0)
    assert sorted(told("cross_sell", params, arrivals)) == sorted(found)
