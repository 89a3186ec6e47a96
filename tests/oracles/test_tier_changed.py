"""Is every change of tier told, by an event or by time, and no other?"""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.oracles.kit import Arrival, Told, scattered, told
from tests.oracles.spending import PURCHASES, Books, once, spending
from tests.triggers.shop import FOREVER

TIERS = [("regular", 0, 0), ("silver", 1000, 2), ("gold", 5000, 3), ("diamond", 20_000, 4)]  # as the shop's


def earned(books: Books, now: int, days: int) -> int:
    orders, net = books.window(now, days)
    return max(
        [0, *(rank for rank, (_, spend, least) in enumerate(TIERS) if net >= spend and orders >= least)]
    )


def tier(books: Books, now: int, held: int) -> int:
    """Reached by 365 days; one that is held, or less, is kept by 395."""
    return max(earned(books, now, 365), min(held, earned(books, now, 395)))


def expected(arrivals: list[Arrival]) -> list[Told]:
    books, now, held, said = Books(), -1, -1, []

    def time_passes(until: int) -> None:
        nonlocal now, held
        for moment in sorted({now, *books.moments(365, 395)}):
            if now <= moment < until and held >= 0 and tier(books, moment, held) != held:
                now, held = moment, tier(books, moment, held)
                said.append(Told("u1", 1, f"{TIERS[held][0]}@{moment}", moment))

    for at, event in once(arrivals):
        time_passes(at)
        books.add(event)
        now = max(now, event.ts)
        if held < 0 and not books.counted():
            continue  # nobody has a tier before the first purchase
        rank = tier(books, now, max(held, 0))
        if rank < held and isinstance(event, PURCHASES):
            continue  # a purchase takes no tier; time does, the moment after
        if rank > max(held, 0) or 0 <= rank < held:
            said.append(Told("u1", 1, event.event_id, event.ts))
        held = rank
    time_passes(FOREVER)
    return said


@given(st.integers(0, 2**32))
def test_tiers_change_as_brute_force_says(seed: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, spending(chance, (100, 500, 1000, 2500, 5000, 16_000)))
    assert told("tier_changed", {}, arrivals) == expected(arrivals)
