"""Would the simulation notice if a guard were missing? Each is taken out in turn; some schedule must go wrong.

The search begins at the schedule that `make simulate` found to catch it; a change of the code may move that. What only
a directed schedule shows is in test_directed.py.
"""

from __future__ import annotations

import pytest

from tests.simulation.guards import REMOVED, Removed, catches

_SEARCH = 400


@pytest.mark.parametrize(
    "removed", [each for each in REMOVED if each.caught_by is not None], ids=lambda each: each.name
)
def test_without_it_something_goes_wrong(removed: Removed) -> None:
    first = removed.caught_by or 0
    for seed in range(first, first + _SEARCH):
        if catches(seed, removed):
            return
    pytest.fail(
        f"{_SEARCH} schedules, and nobody misses it: has it become needless, or the simulation blind?"
    )
