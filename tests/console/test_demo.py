"""Is `beckon demo` a load test: does it end when told, and say how fast it was?"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli import app

LIVE = ["--set", "demo.behind=1m", "--set", "demo.speed=600", "--set", "demo.shoppers=20"]


@pytest.mark.parametrize(("rate", "slow"), [("20", False), ("1000000", True)])
def test_it_ends_in_time_at_any_rate_and_says_whether_it_kept_up(
    beckon: CliRunner, tmp_path: Path, rate: str, *, slow: bool
) -> None:
    """A million a second is more than one process makes: it never waits, and must see that its time is over."""
    began = time.monotonic()
    ended = beckon.invoke(app, ["demo", "--rate", rate, "--for", "6s", "--json", *LIVE])

    assert ended.exit_code == 0, ended.output
    assert 5 < time.monotonic() - began < 30
    done = json.loads(ended.stdout)
    assert done["slow"] is slow
    assert done["live_per_second"] > (1000 if slow else 0)
    written = sum(path.read_bytes().count(b"\n") for path in (tmp_path / "var" / "log").rglob("*.jsonl"))
    assert written == done["events"]
