"""How does a process keep its memory small? By few arenas, and by giving back when nobody waits for some milliseconds.

That is where shards are assigned, when a burst has been over for a while, and now and then.
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable
from typing import Any, Final

_ARENAS: Final = 2  # as many as cores on a small machine (judgement)
_M_ARENA_MAX: Final = -8  # glibc's malloc.h
_OVER_SECONDS: Final = 10.0  # what follows an outage at once is no second burst (judgement)
_LONG_SECONDS: Final = 10.0  # 30 to 40 MB of 400 are free by then, where users grow (docs/performance.md)
_QUIET_SECONDS: Final = 60.0  # small bursts leave holes too; this takes a millisecond or two then (judgement)

_trim: Callable[[int], Any] = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)  # glibc alone has it
_tune: Callable[[int, int], Any] = getattr(ctypes.CDLL(None), "mallopt", lambda *_: None)


def few_arenas() -> None:
    """To be called before threads are started, as each of them gets an arena, up to eight times the cores.

    librdkafka's threads free what others have allocated; with 16 arenas each outage left the holes of a burst in
    another one (docs/soak.md). Few allocate at once: one that holds the GIL, and librdkafka's, one for each broker.
    Whoever sets MALLOC_ARENA_MAX has his way.
    """
    if "MALLOC_ARENA_MAX" not in os.environ:
        _tune(_M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """What cycles hold, as the collector hardly ever runs (flows/realtime.py); then what is free, to the system.

    The burst that follows an outage leaves 10 to 20 MB free in the arenas of as many threads, a little more each time.
    """
    gc.collect()
    give_back_free()


def give_back_free() -> None:
    """What is free, whoever holds the rest; some 10 to 50 ms in a process of 400 MB."""
    _trim(0)


class Bursts:
    """Gives back once, when there has been no backlog for ten seconds after one; `monotonic` in seconds.

    While one goes on, what is free goes back every ten seconds: users who grow leave holes. Without any, all of it
    every minute, when nothing comes just then.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last_at = self._freed_at = monotonic()
        self._over = True

    def begin(self) -> None:
        self._last_at = self._monotonic()
        if self._over:
            self._over, self._freed_at = False, self._last_at

    def look(self, *, live: bool, busy: bool) -> None:
        """`busy`: somebody does wait just now."""
        if not live:
            self.begin()
            if self._last_at - self._freed_at >= _LONG_SECONDS:
                self._freed_at = self._last_at
                give_back_free()
        elif not busy:
            now = self._monotonic()
            since, seconds = (
                (self._freed_at, _QUIET_SECONDS) if self._over else (self._last_at, _OVER_SECONDS)
            )
            if now - since >= seconds:
                self._over, self._freed_at = True, now
                give_back()
