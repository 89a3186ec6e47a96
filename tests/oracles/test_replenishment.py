"""Is everybody told once of each thing that will soon be used up, and nobody of what she has bought again?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from random import Random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from state import events
from state.calendar import DAY
from state.purchases import TIMES_LIMIT
from tests.oracles.kit import Told, scattered, told
from tests.oracles.orders_told import Known, Waiting, expected, story
from tests.state.history import USER

CATEGORIES = {"f1": "formula", "f2": "formula", "f3": "formula", "t1": "tea", "x1": None}
CYCLES = {"formula": 12, "f3": 8}
LEAD, SHRINK, PURCHASES = 3, 2, 3
PARAMS: dict[str, Any] = {
    "lead": f"{LEAD}d",
    "cycles": {key: f"{days}d" for key, days in CYCLES.items()},
    "shrink": SHRINK,
    "min_purchases": PURCHASES,
    "valid_for": "9999d",
}


def _cycle(key: str, bought: list[int]) -> int | None:
    days = sorted({at // DAY for at in bought})
    gaps, total = len(days) - 1, (days[-1] - days[0]) * DAY
    if key in CYCLES:
        return round(Fraction(SHRINK * CYCLES[key] * DAY + total, SHRINK + gaps))
    return round(Fraction(total, gaps)) if len(days) >= PURCHASES else None


def _waiting(known: dict[str, Known], marks: set[Any], now: int) -> Iterator[Waiting]:
    bought: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for order in known.values():
        for sku, of in order.held().items() if order.paid_at is not None else ():
            bought.setdefault(("sku", sku), []).append((order.paid_at or 0, sku))
            if of is not None:
                bought.setdefault(("category", of), []).append((order.paid_at or 0, sku))
    for (kind, key), times in bought.items():
        last = max(at for at, _ in times)
        skus = tuple(sorted({sku for at, sku in times if at == last})) if kind == "category" else (key,)
        if kind == "sku" and key not in CYCLES and CATEGORIES[key] in CYCLES:
            continue
        if kind == "category" and (key not in CYCLES or all(sku in CYCLES for sku in skus)):
            continue
        cycle = _cycle(key, [at for at, _ in times])
        spoken = max((at for k, at in marks if k == (kind, key)), default=-1)
        if cycle is None or spoken >= last:
            continue
        coming = [
            held
            for order in known.values()
            if order.paid_at is None and order.placed_at is not None and order.placed_at >= last
            for held in (order.held(),)
            if key in (held if kind == "sku" else held.values())
        ]
        if coming:
            continue
        ahead = cycle - LEAD * DAY if cycle >= (LEAD + 1) * DAY else cycle // 2
        yield Waiting(
            last + ahead, ((kind, key), last), Told(USER, 1, f"{kind}:{key}@{last}", last + ahead, skus)
        )


def _most_often_bought(history: list[Any]) -> int:
    """Of more purchases than are remembered singly, which were on one day is known no more (docs/state.md)."""
    orders = {event.order_id: event.lines for event in history if isinstance(event, events.OrderPlaced)}
    things = [{key for line in lines for key in (line.sku, line.category)} for lines in orders.values()]
    return max(Counter(key for order in things for key in order if key).values(), default=0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_who_is_told_is_who_the_whole_history_says(seed: int) -> None:
    chance = Random(seed)
    history = story(chance, chance.randint(0, 14), CATEGORIES)
    assume(_most_often_bought(history) <= TIMES_LIMIT)
    arrivals = scattered(chance, history)
    assert sorted(told("replenishment", PARAMS, arrivals)) == sorted(expected(arrivals, _waiting))
