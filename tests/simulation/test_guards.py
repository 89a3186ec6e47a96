"""Would the simulation notice if a guard were missing? Each is taken out in turn; some schedule must go wrong.

The search begins at the schedule that `make simulate` found to catch it; a change of the code may move that.
"""

from __future__ import annotations

import pytest

from tests.simulation.guards import REMOVED, Removed, catches

_SEARCH = 400


@pytest.mark.parametrize("removed", REMOVED, ids=lambda each: each.name)
def test_without_it_something_goes_wrong(removed: Removed) -> None:
    for seed in range(removed.caught_by, removed.caught_by + _SEARCH):
        if catches(seed, removed):
            return
    pytest.fail(
        f"{_SEARCH} schedules, and nobody misses it: has it become needless, or the simulation blind?"
    )
