"""Where does the time of one process go? The shipped flow with a CPU clock around each stage.

Run by benchmarks.pipeline as a process of its own: `python -m benchmarks.measured WARM_UP SETTING ...`; prints one JSON
object. The first WARM_UP records are read and not measured. A stage's clock is the flow thread's CPU time; what
librdkafka's own threads use is the rest.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from config.load import load
from connectors import metrics
from connectors.codec import Decoder
from connectors.kafka import KafkaLog
from connectors.memory import few_arenas
from flows import assemble
from flows.alarm import Alarm
from flows.assemble import Choices
from flows.desk import Desk
from flows.merge import Merge
from flows.reading import Reading
from flows.realtime import run_graph, tune_gc
from flows.station import Station
from state.events import TOPICS

STAGES: dict[str, tuple[type, str]] = {
    "consume": (KafkaLog, "poll"),
    "decode": (Decoder, "decode"),
    "merge": (Merge, "release"),
    "due timers": (Desk, "_pop_due"),
    "load": (Reading, "load"),
    "fold and rules": (Desk, "_apply"),
    # Not `fire`, which is asked for every change of an item and mostly returns at once: a sixth would be the clock.
    "timers": (Alarm, "_wake"),
    "encode and send": (Desk, "commit"),
    "settle": (Desk, "settle"),
    "publish": (Station, "publish"),
}


class Clocks:
    """CPU, time by the clock and calls by stage; a stage inside another is not counted twice."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self.wall_seconds = dict.fromkeys(STAGES, 0.0)
        self.calls = dict.fromkeys(STAGES, 0)
        self._inside, self._wall_inside = 0.0, 0.0

    def around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            outer, self._inside = self._inside, 0.0
            wall_outer, self._wall_inside = self._wall_inside, 0.0
            started, wall_started = time.thread_time(), time.monotonic()
            try:
                return work(*args, **kwargs)
            finally:
                spent, passed = time.thread_time() - started, time.monotonic() - wall_started
                self.seconds[name] += spent - self._inside
                self.wall_seconds[name] += passed - self._wall_inside
                self.calls[name] += 1
                self._inside, self._wall_inside = outer + spent, wall_outer + passed

        return timed


class Start:
    """Where the measured part begins: clocks and records as of then."""

    def __init__(self, clocks: Clocks, warm_up: int) -> None:
        self._clocks, self._warm_up = clocks, warm_up
        self.now()

    def now(self) -> None:
        self._clocks.seconds.update(dict.fromkeys(STAGES, 0.0))
        self._clocks.wall_seconds.update(dict.fromkeys(STAGES, 0.0))
        self._clocks.calls.update(dict.fromkeys(STAGES, 0))
        self.wall, self.cpu, self.thread = time.monotonic(), time.process_time(), time.thread_time()
        self.records = _records()

    def look(self, station: Station) -> None:
        """Once a round: is the warm-up over?"""
        if self._warm_up and station.intake.records >= self._warm_up:
            self._warm_up = 0
            self.now()


def _records() -> dict[str, int]:
    return {role: metrics.total(metrics.RECORDS, topic=role) for role in TOPICS}


def main(warm_up: int, sets: list[str]) -> None:
    few_arenas()
    settings = load(None, os.environ, sets)
    clocks = Clocks()
    for name, (owner, method) in STAGES.items():
        setattr(owner, method, clocks.around(name, getattr(owner, method)))
    choices = Choices(should_stop=lambda: False, until_caught_up=True, instance_id="bench-0")
    ledger = assemble.ledger_of(settings, settings.redis.url)
    source = assemble.log_of(settings, choices)
    publisher = assemble.publisher_of(settings, source, choices)
    station = assemble.station_of(settings, source, ledger, publisher, choices)
    tune_gc()
    start = Start(clocks, warm_up)
    publish = station.publish

    def publish_and_look() -> None:
        publish()
        start.look(station)

    station.publish = publish_and_look  # type: ignore[method-assign]
    run_graph(station)
    records = {role: count - start.records[role] for role, count in _records().items()}
    result = {
        "events": sum(records.values()),
        "records": records,
        "wall_seconds": station.busy_seconds(start.wall),
        "cpu_seconds": time.process_time() - start.cpu,
        "thread_seconds": time.thread_time() - start.thread,
        "stages": clocks.seconds,
        "stages_wall": clocks.wall_seconds,
        "calls": clocks.calls,
        "users": sum(len(s.users) + len(s.packed) for s in station.shards.values()),
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    publisher.close()
    source.close()
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
