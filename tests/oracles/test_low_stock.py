"""Is each fall of a stock told once, to those whose thing it is, and to no more than the pieces left can bear?"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.oracles.kit import scattered, told
from tests.oracles.stock import PARAMS, Edge, Shelf, history

FEW = 3


def _edge_of(levels: list[tuple[int, int]], event: Any) -> Edge | None:
    fell = len(levels) > 1 and levels[-2][1] > FEW and 0 < levels[-1][1] <= FEW
    return Edge(event) if fell else None


@given(st.integers(0, 2**32))
def test_who_is_told_of_which_fall(seed: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, history(chance))
    expected = Shelf(_edge_of, lambda level: 0 < level <= FEW).play(arrivals)
    assert sorted(told("low_stock", {**PARAMS, "threshold": FEW}, arrivals)) == sorted(expected)


@given(st.integers(0, 2**32), st.sampled_from([0.5, 1.0]))
def test_with_a_reach_the_best_of_them_and_no_more(seed: int, reach: float) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, history(chance))
    everybody = Shelf(_edge_of, lambda level: 0 < level <= FEW).play(arrivals)
    found = told("low_stock", {**PARAMS, "threshold": FEW, "reach_per_unit": reach}, arrivals)
    assert set(found) <= set(everybody)
    for anchor, count in Counter(each.anchor for each in found).items():
        assert count <= reach * FEW
        sku, _, event_id = anchor.partition(":")
        news = [e for _, e in arrivals if hasattr(e, "available") and e.sku == sku]
        (edge,) = {e for e in news if e.event_id == event_id}
        if not any(edge.ts < e.ts for e in news):  # as many pieces as at the edge, for every wave
            wanted = sorted(each.due for each in everybody if each.anchor == anchor)
            assert count == min(len(wanted), int(reach * edge.available))
            assert sorted(each.due for each in found if each.anchor == anchor) == wanted[:count]
