"""Do the clocks of the benchmarks still find the stations that they are put at? Running those takes minutes."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "placed",
    [
        "from benchmarks.stamped import Stamps; Stamps().place()",
        "from benchmarks.measured import STAGES; [getattr(*station) for station in STAGES.values()]",
    ],
)
def test_each_clock_finds_its_station(placed: str) -> None:
    subprocess.run([sys.executable, "-c", placed], check=True, timeout=60)
