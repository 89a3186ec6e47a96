"""Would the soak see a leak, and leave alone what only trembles?"""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from tests.soak.flatness import Sample, queue, trend
from tests.soak.sampler import Sampler, resident_bytes

HOUR = 3600


def series(growth_percent_an_hour: float, *, minutes: float = 60.0) -> list[Sample]:
    """Of 200 MB that tremble by a megabyte, with a burst of 50 MB now and then."""
    rng = random.Random(1)
    found = []
    for at in range(0, round(minutes * 60), 2):
        grown = 200 * (1 + growth_percent_an_hour / 100 * at / HOUR)
        found.append((float(at), grown + rng.gauss(0, 1) + (50 if rng.random() < 0.02 else 0)))
    return found


@pytest.mark.parametrize(
    ("growth", "word"), [(0.0, "flat"), (-5.0, "flat"), (0.3, "flat"), (3.0, "grows"), (30.0, "grows")]
)
def test_an_hour_tells_a_leak_from_a_tremble(growth: float, word: str) -> None:
    found = trend(series(growth), 1200)

    assert found is not None
    assert found.word == word, found
    assert found.slope == pytest.approx(growth, abs=0.7, rel=0.2)


def test_what_grows_in_the_warm_up_only_is_no_leak() -> None:
    warming = [(at, value - max(0.0, 100 - at / 10)) for at, value in series(0.0)]

    assert (found := trend(warming, 1200)) is not None
    assert found.word == "flat"
    assert (all_of_it := trend(warming, 0)) is not None
    assert all_of_it.word == "grows"


def test_too_short_a_run_says_so() -> None:
    assert trend(series(0.0, minutes=0.5), 10) is None
    assert trend([], 0) is None
    assert (found := trend(series(0.5, minutes=4), 60)) is not None
    assert found.word == "cannot be told"


def test_a_queue_that_is_emptied_after_each_fault_does_not_grow() -> None:
    rng = random.Random(2)
    emptied = [(float(at), 900 * rng.random() ** 8) for at in range(0, HOUR, 2)]
    growing = [(at, value + at / 4) for at, value in emptied]

    assert (found := queue(emptied, 600)) is not None
    assert found.word == "does not grow"
    assert (found := queue(growing, 600)) is not None
    assert found.word == "grows"
    assert queue(emptied[:20], 0) is None


LEAKING = "import time\nkept = []\nwhile True: kept.append(bytearray(100_000)); time.sleep(0.01)"
STEADY = "import time\nkept = bytearray(50_000_000)\nwhile True: bytearray(100_000); time.sleep(0.01)"


def test_a_process_that_leaks_is_found_out() -> None:
    """Two real processes, seen as the soak sees beckon's: 10 MB a second, and nothing."""
    children = {
        name: subprocess.Popen([sys.executable, "-c", script])
        for name, script in (("leaking", LEAKING), ("steady", STEADY))
    }
    try:
        time.sleep(1.0)
        with Sampler(
            lambda: {name: resident_bytes(child.pid) for name, child in children.items()}, 0.05
        ) as sampler:
            time.sleep(4.0)
    finally:
        for child in children.values():
            child.kill()
            child.wait()
    leaking, steady = (trend(sampler.series[name], 1.0) for name in ("leaking", "steady"))

    assert leaking is not None
    assert leaking.word == "grows"
    assert steady is not None
    assert steady.word == "flat", steady
    assert all(resident_bytes(child.pid) is None for child in children.values())
