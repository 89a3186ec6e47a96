"""Where is the real data that tests may use? In BECKON_DATA, else in ../shared/data beside the checkout.

It is never part of the project, so its absence is no failure anywhere: the tests that need it are skipped,
and the last lines of the run say so once.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ABSENT = "real data absent: "  # tests/conftest.py lets this skip stand, also where every other is a failure
_BESIDE = Path(__file__).parents[2].parent / "shared" / "data"


def real_data(name: str) -> Path:
    """The file of that name; skips the test where it is not to be had."""
    path = Path(os.environ.get("BECKON_DATA") or _BESIDE) / name
    if not path.exists():
        pytest.skip(f"{ABSENT}set BECKON_DATA, or put it into ../shared/data beside the checkout")
    return path


def rows(name: str) -> Iterator[dict[str, str]]:
    """The lines of a packed CSV file, by column name."""
    with gzip.open(real_data(name), "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
