"""Is each return of a sold out thing told once, to those who wanted it?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.oracles.kit import scattered, told
from tests.oracles.stock import PARAMS, Edge, Shelf, history


def _edge_of(levels: list[tuple[int, int]], event: Any) -> Edge | None:
    """Out since the first of the levels of nothing that came before."""
    if len(levels) < 2 or levels[-2][1] > 0 or levels[-1][1] == 0:
        return None
    since = levels[-2][0]
    for ts, level in reversed(levels[:-1]):
        if level > 0:
            break
        since = ts
    return Edge(event, since)


@given(st.integers(0, 2**32))
def test_who_is_told_of_which_return(seed: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, history(chance))
    expected = Shelf(_edge_of, lambda level: level > 0).play(arrivals)
    assert sorted(told("back_in_stock", PARAMS, arrivals)) == sorted(expected)
