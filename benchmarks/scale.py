"""Are two processes twice as fast as one? The shipped service with `--workers` 1 and 2 over the same backlog, in turns.

`python -m benchmarks scale` starts its own servers, writes a seeded backlog (benchmarks/workload.py) and lets
`beckon run --until-caught-up` read it, every rule and setting at its default, on all cores, which the servers share.
What counts is how the group's offsets go from 30 to 95 percent of the log, and the CPU of all its processes meanwhile.

Where there are no more cores than processes, CPU an event says more than the clock: does it stay the same?
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from benchmarks import pipeline, workload
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

_FROM, _TO = 0.3, 0.95
_LOOKS_SECONDS = 0.2
_LONGEST_SECONDS = 600
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Seen(NamedTuple):
    """At a moment: records that the group has done, and CPU seconds of its processes until then."""

    at: float
    records: int
    cpu_seconds: float


class Run(NamedTuple):
    """Events a second by the clock, and CPU microseconds of each."""

    rate: float
    cost: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=600_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args(arguments)
    found: dict[int, list[Run]] = {1: [], 2: []}
    with KafkaServer(long_running=True) as kafka, RedisServer(Path(tempfile.mkdtemp())) as redis:
        kafka.create_topics(dict.fromkeys(pipeline.OF_ALL, workload.PARTITIONS))
        print(f"writing {asked.events:,} events of {asked.users:,} users", flush=True)
        pipeline.fill(kafka.bootstrap_servers, workload.records(asked.events, asked.users, "json"))
        for number in range(asked.runs):
            for processes, runs in found.items():
                app = f"scale{number}-{processes}"
                sets = pipeline.sets_of(
                    kafka.bootstrap_servers, redis.url, app, *pipeline.own_topics(kafka, app), "http.port=0"
                )
                runs.append(_run(kafka.bootstrap_servers, app, processes, sets, asked.events))
                print(
                    f"{processes} of them: {runs[-1].rate:,.0f} events/s, {runs[-1].cost:.1f} us CPU an event",
                    flush=True,
                )
                redis.flush()
    _print(found)


def _run(bootstrap_servers: str, app: str, processes: int, sets: Sequence[str], events: int) -> Run:
    words = [word for setting in sets for word in ("--set", setting)]
    asked = ["run", "--workers", str(processes), "--until-caught-up", "--quiet", *words]
    service = subprocess.Popen([sys.executable, "-m", "console.cli", *asked], stdout=subprocess.DEVNULL)
    seen: list[Seen] = []
    group = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": app})
    places = [TopicPartition(r, p) for r in pipeline.OF_ALL for p in range(workload.PARTITIONS)]
    deadline = time.monotonic() + _LONGEST_SECONDS
    try:
        while service.poll() is None and time.monotonic() < deadline:
            time.sleep(_LOOKS_SECONDS)
            try:
                done = sum(max(0, place.offset) for place in group.committed(places, timeout=10))
            except KafkaException:  # the first to ask is told that the group's coordinator is not there yet
                continue
            seen.append(Seen(time.monotonic(), done, sum(map(_cpu_seconds, _tree(service.pid)))))
    finally:
        group.close()
        service.terminate()  # it ends its processes, too
    if service.wait() != 0:
        raise SystemExit(f"the service ended with {service.returncode}")
    first = next(each for each in seen if each.records >= _FROM * events)
    last = next(each for each in seen if each.records >= _TO * events)
    count = last.records - first.records
    return Run(count / (last.at - first.at), 1e6 * (last.cpu_seconds - first.cpu_seconds) / count)


def _tree(pid: int) -> list[int]:
    """The process and all it started."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def _cpu_seconds(pid: int) -> float:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended meanwhile, and so has what we count
        return 0.0
    return (int(words[11]) + int(words[12])) / _TICKS_A_SECOND


def _print(found: dict[int, list[Run]]) -> None:
    middle = {n: Run(*map(statistics.median, zip(*runs, strict=True))) for n, runs in found.items()}
    for processes, run in middle.items():
        print(f"{processes} of them: {run.rate:>9,.0f} events/s, {run.cost:6.1f} us CPU an event")
    one, two = middle[1], middle[2]
    print(
        f"two do {two.rate / one.rate:.2f} x the events of one by the clock, and by their CPU would do "
        f"{2 * one.cost / two.cost:.2f} x with a core for each; here are {os.cpu_count()}, for the servers too"
    )


if __name__ == "__main__":
    main()
