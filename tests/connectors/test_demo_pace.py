"""Does the demo shop's time start in the past, catch up, and never run ahead?"""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import demo_pace
from connectors.demo_pace import Pace
from state.calendar import HOUR, MINUTE

WALL = 1_790_000_000_000
PACE = Pace(start_ts=WALL - 26 * HOUR, wall_start=WALL, speed=1_500.0)


def test_the_example_of_the_docstring() -> None:
    assert doctest.testmod(demo_pace) == (0, 2)


def test_history_is_due_at_once_and_the_first_day_takes_a_minute() -> None:
    assert PACE.is_due(PACE.start_ts - 1, WALL)
    assert not PACE.is_due(PACE.start_ts + 1, WALL)
    assert MINUTE < PACE.live_at - WALL < MINUTE + 5_000
    assert PACE.reached(PACE.live_at) == pytest.approx(PACE.live_at, abs=1_500)
    assert PACE.reached(PACE.live_at + 10) == PACE.live_at + 10


@given(st.integers(-27 * HOUR, HOUR), st.integers(0, HOUR))
def test_waiting_as_long_as_told_is_enough_and_no_longer_than_needed(ahead: int, elapsed: int) -> None:
    ts, now = WALL + ahead, WALL + elapsed
    wait = PACE.wait_ms(ts, now)
    assert (wait == 0) == PACE.is_due(ts, now)
    assert PACE.is_due(ts, now + wait)
    assert wait <= 2 or not PACE.is_due(ts, now + wait - 2)


@given(st.integers(0, HOUR), st.integers(0, HOUR))
def test_time_never_runs_back_or_ahead(elapsed: int, more: int) -> None:
    assert PACE.reached(WALL + elapsed) <= PACE.reached(WALL + elapsed + more)
    assert PACE.reached(WALL + elapsed) <= WALL + elapsed


def test_a_shop_that_never_arrives_is_refused() -> None:
    with pytest.raises(ValueError, match="never reaches"):
        _ = Pace(start_ts=0, wall_start=1, speed=1.0).live_at
    assert Pace(start_ts=WALL, wall_start=WALL, speed=1.0).live_at == WALL
