"""Does beckon run for an hour, while things break at random, without growing?

python -m tests.soak [--minutes 60] [--seed S] [--report FILE]
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.lab import say, say_point
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer
from tests.soak.report import markdown, words
from tests.soak.scene import Scene

_WARM_UP_SHARE = 0.4
_WARM_UP_SECONDS = 1200.0  # at most: what is cached is full in minutes, of a long run more is left to judge
_GOOD = ("flat", "does not grow")


def main(minutes: float, seed: int, report: Path | None) -> int:
    directory = Path(tempfile.mkdtemp(prefix="beckon-soak-"))
    with KafkaServer(long_running=True) as kafka, RedisServer(directory / "redis") as store:
        scene = Scene(directory / "stage", kafka, store, seed=seed, seconds=minutes * 60, tell=say_point)
        outcome = scene.run()
    series, warm_up = scene.sampler.series, min(minutes * 60 * _WARM_UP_SHARE, _WARM_UP_SECONDS)
    (directory / "series.json").write_text(json.dumps(series))
    found = words(series, warm_up)
    page = markdown(
        outcome, series, minutes=minutes, warm_up_seconds=warm_up, broken_brokers=scene.broken_brokers
    )
    say("\n" + page)
    if report is not None:
        report.write_text(page)
    say(f"{outcome.word}; " + "; ".join(f"{name}: {word}" for name, word in found.items()))
    say(f"logs and samples in {directory}")
    return 0 if outcome.clean and all(word in _GOOD for word in found.values()) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, help="write the outcome here, as Markdown")
    chosen = parser.parse_args()
    # Told to end, we end what we started: the exception runs through every `with`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(chosen.minutes, chosen.seed, chosen.report))
