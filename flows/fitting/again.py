"""After how long is each thing bought again? Of every SKU and category in a history: who came again, and when.

What is usual of a thing is the median over those who bought it on two days or more of the mean gap of each: what a user
is shrunk towards in state/cycles.py is then the same kind of number as her own. The median of all gaps together, which
frequent buyers fill, foretells worse (docs/decisions/0032-a-thing-s-cycle-is-the-median-of-its-buyers.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median

from msgspec import Struct

from config.settings import Fitting
from state.calendar import DAY, Duration

Held = tuple[int, Mapping[str, str | None]]
"""The day on which an order counted, and the SKUs of it that were kept, each with its category."""


class Sold(Struct):
    """One thing: how many bought it, and the mean gap in days of each who bought it on two days or more."""

    buyers: int = 0
    gaps: list[float] = []

    @property
    def again(self) -> float:
        """The share of its buyers who came again for it."""
        return len(self.gaps) / self.buyers


def note(sold: dict[str, Sold], orders: Iterable[Held]) -> None:
    """All that one user has bought."""
    days: dict[str, set[int]] = {}
    for day, held in orders:
        for key in {*held, *held.values()}:
            if key is not None:
                days.setdefault(key, set()).add(day)
    for key, on in days.items():
        thing = sold.setdefault(key, Sold())
        thing.buyers += 1
        if len(on) > 1:
            thing.gaps.append((max(on) - min(on)) / (len(on) - 1))


def usual(sold: Mapping[str, Sold], chosen: Fitting) -> dict[str, Duration]:
    """The cycle of each thing that enough buyers came again for; of too many things, those of the most buyers."""
    found = [
        (key, thing)
        for key, thing in sold.items()
        if len(thing.gaps) >= chosen.least_again and thing.again >= chosen.again_share
    ]
    found.sort(key=lambda each: (-len(each[1].gaps), each[0]))
    kept = sorted(found[: chosen.most_cycles])
    return {key: Duration(round(median(thing.gaps)) * DAY) for key, thing in kept}
