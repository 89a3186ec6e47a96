"""When shall we stop? At SIGTERM, Ctrl-C, or when the time asked for is over; and then in order.

SIGHUP asks something else: to read the configuration again.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator


class Stop:
    """Set by SIGTERM, Ctrl-C or the end of `--for`; asked once a round, so the flow drains and ends."""

    def __init__(self, duration_ms: int | None) -> None:
        self._until = None if duration_ms is None else time.monotonic() + duration_ms / 1000
        self._asked = False
        self._asked_to_read = False

    def __call__(self) -> bool:
        return self._asked or (self._until is not None and time.monotonic() >= self._until)

    def ask(self, *_: object) -> None:
        self._asked = True

    def ask_to_read(self, *_: object) -> None:
        self._asked_to_read = True

    def was_asked_to_read(self) -> bool:
        """Whether SIGHUP has come since the last time."""
        asked, self._asked_to_read = self._asked_to_read, False
        return asked

    @contextlib.contextmanager
    def on_signals(self, *, reads: bool = False) -> Iterator[None]:
        """SIGTERM has no handler in Bytewax: without ours it would end the process without draining.

        `reads`: SIGHUP does not end it.
        """
        wanted = {signal.SIGTERM: self.ask, signal.SIGINT: self.ask}
        if reads:
            wanted[signal.SIGHUP] = self.ask_to_read
        before = {sig: signal.signal(sig, ask) for sig, ask in wanted.items()}
        if reads:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])  # see `_start` of flows/supervise.py
        try:
            yield
        finally:
            for sig, old in before.items():
                signal.signal(sig, old)
