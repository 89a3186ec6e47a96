"""What time is it, if the machine's clock may be wrong? The wall's, whose steps count when events confirm them.

Idle inputs take the wall's word for how far time has come, so a clock that is set an hour ahead by mistake would fire
every timer. A step is where the wall moves against the monotonic clock; it counts once an event says so, too: one
whose own time is nearer to the stepped clock than to the one before.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from connectors import metrics

_STEP_MS = (
    10_000  # less is drift, or a slewing NTP; a timer that much early is within what out-of-orderness allows
)
log = structlog.get_logger("wall")


class Wall:
    """`wall_ms` is epoch milliseconds; `elapsed` seconds of a clock that nobody sets and that counts suspended time."""

    def __init__(self, wall_ms: Callable[[], int], elapsed: Callable[[], float]) -> None:
        self._wall_ms = wall_ms
        self._elapsed = elapsed
        self._base = self._offset()
        self._stepped = False

    def now(self, newest_event: int | None = None) -> int:
        """Epoch milliseconds; `newest_event`: the time of the newest event that has just come, if any."""
        offset = self._offset()
        step = offset - self._base
        if abs(step) < _STEP_MS:
            self._base, self._stepped = offset, False
        elif not self._stepped:
            self._stepped = True
            metrics.CLOCK_STEPS.inc()
            log.warning(
                "the wall clock has stepped; it is believed when an event confirms it",
                step_seconds=step / 1000,
            )
        now = int(self._elapsed() * 1000) + self._base
        if (
            self._stepped
            and newest_event is not None
            and abs(newest_event - now - step) < abs(newest_event - now)
        ):
            log.warning("an event confirms the stepped clock", step_seconds=step / 1000)
            self._base, self._stepped = offset, False
            return now + step
        return now

    def latest(self) -> int:
        """The later of what the clock says and what we believe: for what must not be refused too early."""
        return max(self._wall_ms(), self.now())

    def _offset(self) -> int:
        return self._wall_ms() - int(self._elapsed() * 1000)
