"""Is memory that nobody holds any more given back to the system?"""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.memory import Bursts, give_back

_PIECE_BYTES, _PIECES = 20_000, 2000  # 40 MB, each piece too small for a mapping of its own


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Holder:
    """Holds itself."""

    def __init__(self) -> None:
        self.itself = self
        self.pieces = [bytes([1]) * _PIECE_BYTES for _ in range(_PIECES)]


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc alone gives memory back when asked"
)
def test_what_a_burst_leaves_goes_back() -> None:
    gc.disable()
    try:
        holder = Holder()
        above = bytes([1]) * _PIECE_BYTES  # keeps the heap from shrinking by itself
        full = resident_bytes()
        del holder
        assert resident_bytes() > full - 10_000_000, "nothing goes by itself"
        give_back()
        assert resident_bytes() < full - 30_000_000
        assert len(above) == _PIECE_BYTES
    finally:
        gc.enable()


def test_it_goes_back_once_after_a_burst_and_not_while_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now, given = [0.0], []
    monkeypatch.setattr("connectors.memory.give_back", lambda: given.append(now[0]))
    bursts = Bursts(lambda: now[0])
    for second in range(100):
        now[0] = float(second)
        bursts.look(live=second not in (20, 21, 28, 60), busy=second in (70, 71))
    assert given == [38.0, 72.0]


def test_it_goes_back_every_minute_when_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    now, given = [0.0], []
    monkeypatch.setattr("connectors.memory.give_back", lambda: given.append(now[0]))
    bursts = Bursts(lambda: now[0])
    for second in range(200):
        now[0] = float(second)
        bursts.look(live=True, busy=second < 63 or second % 2 == 1)
    assert given == [64.0, 124.0, 184.0]


def test_a_long_burst_gives_back_what_is_free_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now, given = [0.0], []
    monkeypatch.setattr("connectors.memory.give_back_free", lambda: given.append(now[0]))
    monkeypatch.setattr("connectors.memory.give_back", lambda: None)
    bursts = Bursts(lambda: now[0])
    for second in range(100):
        now[0] = float(second)
        bursts.look(live=second < 20 or second == 40 or 45 < second < 60, busy=True)
        if second == 57:
            bursts.look(live=True, busy=False)
    assert given == [30.0, 41.0, 70.0, 80.0, 90.0]  # 40 was a moment without; from 57 on it was over


_THREADS_THAT_ALLOCATE = """
import ctypes, sys, threading
from connectors.memory import few_arenas

if sys.argv[1] == "few":
    few_arenas()
libc, over = ctypes.CDLL(None), threading.Barrier(9)
libc.malloc.restype = ctypes.c_void_p

def allocate():
    assert libc.malloc(10_000)
    over.wait(10)

for _ in range(8):
    threading.Thread(target=allocate).start()
over.wait(10)
libc.malloc_stats()
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallopt"), reason="glibc alone has arenas whose number can be set"
)
@pytest.mark.parametrize(("how", "expected"), [("few", range(1, 3)), ("as it is", range(4, 100))])
def test_threads_share_two_arenas(how: str, expected: range) -> None:
    told = subprocess.run(
        [sys.executable, "-c", _THREADS_THAT_ALLOCATE, how],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert told.stderr.count("Arena ") in expected
