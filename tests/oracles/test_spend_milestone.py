"""Is a milestone told at each purchase that passes it, and at no other?"""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from state.calendar import DAY
from tests.oracles.kit import Arrival, Told, scattered, told
from tests.oracles.spending import PURCHASES, Books, once, spending

LADDER = [500, 1000, 2000]


def expected(arrivals: list[Arrival]) -> list[Told]:
    """A purchase tells of the highest rung that it, or 30 days with it, comes to, and 30 days without it do not."""
    books, now, said = Books(), -1, []
    alone: str | None = None  # the order that passed by itself the last time that one was passed
    for _, event in once(arrivals):
        name = books.add(event)
        if not isinstance(event, PURCHASES):
            continue
        now = max(now, event.ts)
        if name is None:
            continue
        begins = (now - 30 * DAY) // DAY * DAY
        _, spend = books.window(now, 30)
        counted = books.counted()
        paid_at, total = counted[name]
        without = spend - (total if paid_at >= begins else 0)
        if alone in counted and counted[alone][0] >= begins:
            without = max(without, _net(books, alone))
        passed = [rung for rung in LADDER if max(spend, _net(books, name)) >= rung and max(without, 0) < rung]
        if passed:
            alone = name if spend < passed[-1] else None
            said.append(Told("u1", LADDER.index(passed[-1]) + 1, f"{name}-paid", paid_at))
    return said


def _net(books: Books, name: str) -> int:
    return books.counted()[name][1] - sum(amount for _, amount, order in books.given_back() if order == name)


@given(st.integers(0, 2**32))
def test_milestones_are_told_as_brute_force_says(seed: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, spending(chance, (100, 250, 400, 500, 900, 1100)))
    assert told("spend_milestone", {"ladder": LADDER}, arrivals) == expected(arrivals)
