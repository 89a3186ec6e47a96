"""Which of this machine's processes are we? The lowest number that no running process holds.

A process that is killed and started again gets its number back, so the consumer group (static membership)
and the transaction coordinator know it at once, instead of waiting for its former self to time out.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import Self

SLOTS_LIMIT = 1024


class Slot:
    """Held by a file lock, which the kernel releases however the process ends."""

    def __init__(self, app: str) -> None:
        self._directory = Path(tempfile.gettempdir()) / f"beckon-{app}-{os.getuid()}"
        self._file = -1
        self.number = -1

    def __enter__(self) -> Self:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        for number in range(SLOTS_LIMIT):
            file = os.open(self._directory / f"slot-{number}", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            self._file, self.number = file, number
            return self
        raise RuntimeError(f"{SLOTS_LIMIT} processes of this app run on this machine already")

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
