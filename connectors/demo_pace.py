"""How far has the demo shop come by now? Its time starts in the past and catches up with the wall clock."""

from __future__ import annotations

from msgspec import Struct


class Pace(Struct, frozen=True):
    """Event time begins at `start_ts` when the wall says `wall_start`, goes `speed` times as fast until it
    has reached the wall clock, and then keeps it company. All in epoch ms; what is older than `start_ts` is
    due at once. Pure: the caller reads the clock and sleeps.

    >>> pace = Pace(start_ts=0, wall_start=90_000, speed=10.0)
    >>> pace.reached(91_000), pace.reached(99_000), pace.reached(101_000)
    (10000, 90000, 101000)
    """

    start_ts: int
    wall_start: int
    speed: float

    def reached(self, wall_now: int) -> int:
        """The event time up to which everything has happened."""
        return min(self.start_ts + int((wall_now - self.wall_start) * self.speed), wall_now)

    def is_due(self, ts: int, wall_now: int) -> bool:
        return ts <= self.reached(wall_now)

    def wait_ms(self, ts: int, wall_now: int) -> int:
        """How long until `ts` is due; 0 if it is."""
        fast = self.wall_start + int((ts - self.start_ts) / self.speed) + 1
        return 0 if self.is_due(ts, wall_now) else max(1, ts - wall_now, fast - wall_now)

    @property
    def live_at(self) -> int:
        """When event time reaches the wall clock."""
        behind = self.wall_start - self.start_ts
        if behind <= 0:
            return self.wall_start
        if self.speed <= 1:
            raise ValueError("a shop in the past never reaches the present at a speed of 1 or less")
        return self.wall_start + int(behind / (self.speed - 1))
