"""Are a user's last visits the same in whatever order clicks up to an hour late are read?"""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from state import visits
from state.calendar import MINUTE

# Two steps of a quarter, the click between them late: one visit that looked like two.
STEPS = st.sampled_from((14, 15, 16, 29, 30, 300))
CLICKS = st.lists(st.tuples(STEPS, st.sampled_from((0, 40, 59))), min_size=8, max_size=40)


@example([*[(300, 0)] * 6, (15, 59), (15, 0), (15, 40), (15, 0)])  # three visits that were one
@settings(max_examples=1000)
@given(CLICKS)
def test_late_clicks_leave_the_same_last_visits(steps: list[tuple[int, int]]) -> None:
    """`steps`: minutes since the click before, and how late it is read."""
    ts, clicks = 1_780_000_000_000, []
    for step, late in steps:
        ts += step * MINUTE
        clicks.append((ts + late * MINUTE, ts))
    begun = [
        ts
        for before, ts in zip([0, *(t for _, t in clicks)], (t for _, t in clicks), strict=False)
        if ts - before >= visits.SILENCE
    ]

    kept: visits.Visits = ()
    last: int | None = None
    for _, ts in sorted(clicks):
        kept = visits.note(kept, ts, last)
        last = ts if last is None else max(last, ts)

    assert kept[::2][-visits.VISITS_LIMIT :] == tuple(begun[-visits.VISITS_LIMIT :])
    assert len(kept) <= visits.TIMES_LIMIT
