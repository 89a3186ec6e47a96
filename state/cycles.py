"""After how long is a thing bought again, by this user and by everybody?

The expected cycle of an item or category is the user's own mean gap between purchase days, shrunk towards what is
usual: (shrink * usual + her gaps) / (shrink + their number). Usual is what buyers of the thing have shown (`learned`
by `beckon fit`: the median of their gaps), else the cycle that the operator has configured. Where nothing is usual
only what she has bought `min_purchases` times has a cycle.

A category with a configured cycle speaks for its SKUs, whichever of them is bought; a SKU with one of its own speaks
for itself. What was learned of a SKU counts from the second purchase on: that others came again says little of
somebody who has tried it once (science, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from state.calendar import Days, Duration
from state.purchases import Bought, Purchases

LEARNED_FROM = 2  # purchases of a user


class Cycles(Protocol):
    """`cycles` by SKU or category, as configured; `shrink`: how many gaps of hers what is usual weighs."""

    @property
    def cycles(self) -> Mapping[str, Duration]: ...
    @property
    def shrink(self) -> float: ...
    @property
    def min_purchases(self) -> int: ...


class Thing(NamedTuple):
    """A SKU or a category that is bought again and again; `usual`: its cycle among all buyers, None: not known."""

    kind: str
    key: str
    bought: Bought
    usual: int | None


def things(purchases: Purchases | None, params: Cycles, learned: Mapping[str, Duration]) -> Iterator[Thing]:
    """Those that may have a cycle: most of what is bought is bought once, and must cost nothing here."""
    cycles = params.cycles
    if purchases is None:
        return
    for sku, bought in purchases.skus.items():
        cycle, count = cycles.get(sku), len(bought.times) + bought.earlier
        seen = learned.get(sku) if count >= LEARNED_FROM else None
        often = count >= params.min_purchases or seen is not None
        if cycle is not None or (often and bought.category not in cycles):
            yield Thing("sku", sku, bought, cycle if seen is None else seen)
    for category in cycles.keys() & purchases.categories.keys():
        skus = purchases.last_of(category)
        if not skus or any(sku not in cycles for sku in skus):
            usual = learned.get(category, cycles[category])
            yield Thing("category", category, purchases.categories[category], usual)


def cycle_of(thing: Thing, params: Cycles, days: Days) -> int | None:
    """The expected time between two purchases, ms; None where nothing is known of it."""
    gaps, total = thing.bought.gaps(days)
    if thing.usual is None:
        return round(total / gaps) if gaps >= max(1, params.min_purchases - 1) else None
    weight = params.shrink + gaps
    return round((params.shrink * thing.usual + total) / weight) if weight else None


def runs_out(
    purchases: Purchases | None, params: Cycles, learned: Mapping[str, Duration], days: Days
) -> Iterator[tuple[int, Thing, int]]:
    """When each thing will be used up, and its cycle."""
    for thing in things(purchases, params, learned):
        cycle = cycle_of(thing, params, days)
        if cycle is not None:
            yield thing.bought.last_at + cycle, thing, cycle
