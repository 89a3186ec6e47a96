"""Which score from 1 to 5, 5 is best, has a user for recency, frequency and money? By cut points with a version.

Rule (b) of the science page, as the R package rfm has it: a score counts the cut points that a value has reached, so
equal values have equal scores, in any order of reading.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from msgspec import Struct
from msgspec.json import Encoder
from xxhash import xxh3_64_hexdigest

from state.calendar import Days
from state.rfm import Rfm

Four = tuple[float, float, float, float]
"""Ascending."""

Scores = tuple[int, int, int]
"""R, F, M, each 1..5."""


class Cuts(Struct, frozen=True, array_like=True, kw_only=True, forbid_unknown_fields=True):
    """Cut points of days since the last order (`r`), orders (`f`) and net spend in minor units (`m`), for life.

    `as_of`: the day number at which days are counted, None: that of the moment. `keep`: who was good stays so up to
    these values (state/segments.py); None: not a bit longer.
    """

    version: str
    r: Four
    f: Four
    m: Four
    as_of: int | None = None
    keep: tuple[float, float, float] | None = None


Publications = tuple[tuple[int, Cuts | None], ...]
"""Cut points, or null where there were too few buyers, and since when (epoch ms); in order of time."""


def cuts_with_version(
    r: Four, f: Four, m: Four, as_of: int | None, keep: tuple[float, float, float] | None
) -> Cuts:
    """The same cut points have the same version, whoever finds them."""
    version = xxh3_64_hexdigest(_encode((r, f, m, as_of, keep)))
    return Cuts(version=version, r=r, f=f, m=m, as_of=as_of, keep=keep)


def values_of(rfm: Rfm, now: int, cuts: Cuts, days: Days) -> tuple[int, int, int] | None:
    """What the cut points cut: days since the last order, orders, net spend; None without an order that counts."""
    if rfm.orders <= 0 or rfm.last_order_at is None:
        return None
    today = days.of(now) if cuts.as_of is None else cuts.as_of
    return today - days.of(rfm.last_order_at), rfm.orders, rfm.net_amount


def scores_of(values: tuple[int, int, int], cuts: Cuts) -> Scores:
    age, orders, spend = values
    return 5 - _reached(cuts.r, age), 1 + _reached(cuts.f, orders), 1 + _reached(cuts.m, spend)


def _reached(cuts: Sequence[float], value: int) -> int:
    return bisect_right(cuts, value)


_encode = Encoder().encode
