"""When shall we stop? At SIGTERM, Ctrl-C, or when the time asked for is over; and then in order."""

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

    def __call__(self) -> bool:
        return self._asked or (self._until is not None and time.monotonic() >= self._until)

    def ask(self, *_: object) -> None:
        self._asked = True

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """SIGTERM has no handler in Bytewax: without ours it would end the process without draining."""
        before = {sig: signal.signal(sig, self.ask) for sig in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for sig, old in before.items():
                signal.signal(sig, old)
