"""Does a series stay flat, or does it grow? A slope with what is not known of it, and a word."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

GROWTH_LIMIT: Final = 1.0  # percent an hour, of the mean: what issue 9 asks for
_BLOCKS: Final = 12
_T: Final = 2.23  # of Student's distribution with 10 degrees of freedom: 95 of 100
_HOUR: Final = 3600.0

Sample = tuple[float, float]
"""(seconds since the beginning, value)"""


@dataclass(frozen=True)
class Trend:
    """`slope` and `unsure` (plus or minus, 95 of 100) in percent of the mean an hour."""

    mean: float
    slope: float
    unsure: float

    @property
    def word(self) -> str:
        if self.slope - self.unsure > GROWTH_LIMIT:
            return "grows"
        return "flat" if self.slope + self.unsure < GROWTH_LIMIT else "cannot be told"


def trend(samples: Sequence[Sample], warm_up_seconds: float) -> Trend | None:
    """Over what came after the warm-up; None where there is too little of it.

    By the medians of twelve blocks of time, so that a burst is one point and not a hundred that agree.
    """
    begin = samples[0][0] + warm_up_seconds if samples else 0.0
    late = [sample for sample in samples if sample[0] >= begin]
    if len(late) < 2 * _BLOCKS:
        return None
    size = len(late) / _BLOCKS
    blocks = [late[round(n * size) : round((n + 1) * size)] for n in range(_BLOCKS)]
    times = [statistics.fmean(at for at, _ in block) / _HOUR for block in blocks]
    values = [statistics.median(value for _, value in block) for block in blocks]
    mean = statistics.fmean(values)
    if not mean:
        return Trend(0.0, 0.0, 0.0)
    slope, rest = statistics.linear_regression(times, values)
    residual = sum((value - (slope * at + rest)) ** 2 for at, value in zip(times, values, strict=True))
    middle = statistics.fmean(times)
    error = (residual / (_BLOCKS - 2) / sum((at - middle) ** 2 for at in times)) ** 0.5
    return Trend(mean, 100 * slope / mean, 100 * _T * error / mean)


@dataclass(frozen=True)
class Queue:
    """The middle of what waited, early and late, and the most."""

    early: float
    late: float
    most: float

    @property
    def word(self) -> str:
        return "grows" if self.late > 1.5 * self.early + _SOME else "does not grow"


_SOME: Final = 200.0  # entries that wait in a shop of this size are a second's worth


def queue(samples: Sequence[Sample], warm_up_seconds: float) -> Queue | None:
    """The first and the last third after the warm-up, by their medians: what a fault piles up is taken off again."""
    begin = samples[0][0] + warm_up_seconds if samples else 0.0
    values = [value for at, value in samples if at >= begin]
    third = len(values) // 3
    if third < _BLOCKS:
        return None
    return Queue(statistics.median(values[:third]), statistics.median(values[-third:]), max(values))
