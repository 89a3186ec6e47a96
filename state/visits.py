"""When did this user's last visits begin and end, where nobody tells us of sessions? Silence parts them.

Kept as begin, end, begin, end, ... of the last visits; the end of the last one is the user's `last_visit_at` and not
kept twice. The last `VISITS_LIMIT` are exact in whatever order the events are read, each up to an hour late.
"""

from __future__ import annotations

from collections.abc import Iterable

from state.calendar import MINUTE

VISITS_LIMIT = 5
_SPARE = 2  # what is late may make one visit of two: of those begun in the last hour, at most two, with the one before
TIMES_LIMIT = 2 * (VISITS_LIMIT + _SPARE) - 1
SILENCE = 30 * MINUTE  # as web statistics have it: half an hour without a click ends a visit

Visits = tuple[int, ...]


def note(visits: Visits, ts: int, last: int | None) -> Visits:
    """A sign of life at `ts` that is not just the next one of the visit in which `last` lies."""
    if last is None or not visits:
        return (ts,)
    if ts - last >= SILENCE:  # by far the most frequent: the next visit begins
        return (*visits, last, ts)[-TIMES_LIMIT:]
    return _joined([*_spans(visits, last), (ts, ts)])


def unite(own: Visits, own_last: int | None, other: Visits, other_last: int | None) -> Visits:
    """Those of one person with two ids."""
    return _joined([*_spans(own, own_last), *_spans(other, other_last)])


def _spans(visits: Visits, last: int | None) -> Iterable[tuple[int, int]]:
    return () if last is None else zip(visits[::2], (*visits[1::2], last), strict=False)


def _joined(spans: list[tuple[int, int]]) -> Visits:
    visits: list[list[int]] = []
    for begin, end in sorted(spans):
        if visits and begin - visits[-1][1] < SILENCE:
            visits[-1][1] = max(end, visits[-1][1])
        else:
            visits.append([begin, end])
    return tuple(ts for visit in visits for ts in visit)[:-1][-TIMES_LIMIT:]
