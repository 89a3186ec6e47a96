"""How large is each process, and how long is each queue? A thread asks every few seconds."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.soak.flatness import Sample

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int) -> int | None:
    """What a process has in memory; None once it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return pages * _PAGE_BYTES or None


class Sampler:
    """`ask` gives the values by name, those that can be had now. `series` are what was seen."""

    def __init__(self, ask: Callable[[], Mapping[str, float | None]], every_seconds: float) -> None:
        self._ask, self._every = ask, every_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="sampler", daemon=True)
        self.series: dict[str, list[Sample]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        begun = time.monotonic()
        while not self._over.wait(self._every):
            now = time.monotonic() - begun
            for name, value in self._ask().items():
                if value is not None:
                    self.series.setdefault(name, []).append((now, value))
