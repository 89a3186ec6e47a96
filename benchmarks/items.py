"""Do 20,000 clicks and 10,000 item updates a second go through one core?

`python -m benchmarks items` starts its own servers, writes a seeded backlog of two clicks to one change of an item
(benchmarks/shelves.py says which) and runs the shipped flow over it in one process pinned to one core, exactly once,
every rule and setting at its default; servers share the other cores. Event time is as at 30,000 events a second.
The first --warm-up events make the state, and do not count.

The rate is that of the shop's own events; the letters that shards write to each other are work on top of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import pipeline, shelves, workload
from benchmarks.latency import cores
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

CLICKS, UPDATES = 20_000, 10_000  # a second: issue 5
RATE = CLICKS + UPDATES


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _arguments(arguments)
    worker, others = cores()
    if others:
        os.sched_setaffinity(0, others)  # the servers inherit it
    with KafkaServer(long_running=True) as kafka, RedisServer(Path(tempfile.mkdtemp())) as redis:
        kafka.create_topics(dict.fromkeys(pipeline.OF_ALL, workload.PARTITIONS))
        print(f"writing {asked.events:,} events of {asked.users:,} users", flush=True)
        pipeline.fill(kafka.bootstrap_servers, shelves.records(asked.events, asked.users, RATE))
        runs = []
        for run in range(asked.runs):
            app = f"items{run}"
            sets = pipeline.sets_of(
                kafka.bootstrap_servers, redis.url, app, *pipeline.own_topics(kafka, app), *asked.sets
            )
            runs.append(pipeline.measure(sets, worker, asked.warm_up))
            _say(run, runs[-1])
            redis.flush()
    _print(runs, pinned=bool(worker))
    if asked.json:
        asked.json.write_text(json.dumps({"asked": {**vars(asked), "json": None}, "runs": runs}, indent=1))


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.items",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=900_000, help="clicks and item updates together")
    parser.add_argument("--warm-up", type=int, default=300_000, help="of these")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--set", dest="sets", action="append", default=[], help="a setting of the service")
    parser.add_argument("--json", type=Path, help="also write the figures of every run here")
    return parser.parse_args(arguments)


def _say(number: int, run: dict[str, Any]) -> None:
    print(
        f"run {number + 1}: {_rate(run):,.0f} events/s, {_cost(run):.2f} us CPU an event, "
        f"{run['records']['letters']:,} letters beside {_events(run):,} events",
        flush=True,
    )


def _events(run: dict[str, Any]) -> int:
    """Of the shop."""
    return int(run["events"] - run["records"]["letters"])


def _rate(run: dict[str, Any]) -> float:
    return float(_events(run) / run["wall_seconds"])


def _cost(run: dict[str, Any]) -> float:
    return float(1e6 * run["cpu_seconds"] / _events(run))


def _print(runs: list[dict[str, Any]], *, pinned: bool) -> None:
    pipeline.print_table(_events(runs[0]), runs)
    rate, cost = statistics.median(map(_rate, runs)), statistics.median(map(_cost, runs))
    print(f"clicks/s {2 * rate / 3:,.0f}, item updates/s {rate / 3:,.0f}{'' if pinned else ' (not pinned)'}")
    print(f"by the CPU it took a core to itself would do {1e6 / cost:,.0f} events/s")
    print(f"{CLICKS:,} + {UPDATES:,} a second on one core: {'reached' if rate >= RATE else 'NOT reached'}")


if __name__ == "__main__":
    main()
