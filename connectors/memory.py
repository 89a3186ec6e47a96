"""How does a process keep its memory small? By few arenas, and by giving back where shards are assigned.

Nobody waits for some milliseconds then.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from typing import Any, Final

_ARENAS: Final = 2
_M_ARENA_MAX: Final = -8  # glibc's malloc.h

_trim: Callable[[int], Any] = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)  # glibc alone has it
_tune: Callable[[int, int], Any] = getattr(ctypes.CDLL(None), "mallopt", lambda *_: None)


def few_arenas() -> None:
    """To be called before threads are started, as each of them gets an arena, up to eight times the cores.

    librdkafka's threads free what others have allocated; with 16 arenas each outage left the holes of a burst in
    another one (docs/soak.md). Nothing here allocates from many threads at once: the GIL sees to that.
    """
    _tune(_M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """What cycles hold, as the collector hardly ever runs (flows/realtime.py); then what is free, to the system.

    The burst that follows an outage leaves 10 to 20 MB free in the arenas of as many threads, a little more each time.
    """
    gc.collect()
    _trim(0)
