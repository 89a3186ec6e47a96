"""Is a clock that was set wrongly believed only when the events agree?"""

from __future__ import annotations

from flows.wall import Wall

HOUR = 3_600_000
T0 = 1_790_000_000_000


class Machine:
    """Time passes by `pass_seconds`; the wall clock can be set."""

    def __init__(self) -> None:
        self.wall, self.elapsed = T0, 100.0
        self.clock = Wall(lambda: self.wall, lambda: self.elapsed)

    def pass_seconds(self, seconds: float) -> None:
        self.elapsed += seconds
        self.wall += int(seconds * 1000)


def test_it_goes_with_the_wall_and_follows_its_drift() -> None:
    machine = Machine()
    machine.pass_seconds(7)
    machine.wall += 900
    assert machine.clock.now() == T0 + 7900


def test_a_wrong_step_is_not_believed_and_forgotten_when_it_is_taken_back() -> None:
    for step in (HOUR, -HOUR):
        machine = Machine()
        machine.wall += step
        machine.pass_seconds(5)
        assert machine.clock.now(T0 + 4000) == T0 + 5000
        assert machine.clock.latest() == T0 + 5000 + max(step, 0)
        machine.wall -= step
        assert machine.clock.now(T0 + 5000) == T0 + 5000
        machine.pass_seconds(1)
        assert machine.clock.now() == T0 + 6000


def test_a_right_step_is_believed_with_the_first_event_that_shows_it() -> None:
    for step in (HOUR, -HOUR):
        machine = Machine()
        machine.wall += step
        machine.pass_seconds(5)
        assert machine.clock.now() == T0 + 5000
        assert machine.clock.now(T0 + step + 4000) == T0 + step + 5000
        assert machine.clock.now() == T0 + step + 5000
