"""Does an event cost more where there are more users?

`python -m benchmarks population` starts its own servers and lets the shipped flow, every rule and setting at its
default, read for each size of population: a founding, in which each user has four events within six hours; three
quiet days of two more each, in which what is due comes due; and then the events that count. Those are of 10,000 users
spread over all, so that in each population as many come as often, with as much behind them. It prints CPU by event, the
most memory that the process had, and what Redis holds.

Stock does not change: an edge is told to all who watch the SKU, so that would be another rate of users. Of a small
population every user is in the memory of the process (`state.cached_users`), of a large one few are.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import redis

from benchmarks import pipeline, workload
from benchmarks.latency import cores
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

SIZES = (10_000, 100_000, 1_000_000)
_ACTIVE_USERS = min(SIZES)
LIMIT = 1.25  # dearest to cheapest: issue 8
_FOUNDING_EVENTS, _QUIET_EVENTS = 4, 2  # of each user
_FOUNDING_MS = 6 * 3_600_000
_QUIET_MS = 3 * 86_400_000
_SETTLING_EVENTS = 50_000  # like those that count: until they are read what was queued before is applied
_GAP_MS = 0.5  # 2,000 events a second of event time


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _arguments(arguments)
    worker, others = cores()
    if others:
        os.sched_setaffinity(0, others)  # the servers inherit it
    runs: list[dict[str, Any]] = []
    for users in asked.sizes:
        with KafkaServer(long_running=True) as kafka, RedisServer(Path(tempfile.mkdtemp())) as store:
            kafka.create_topics(dict.fromkeys(pipeline.OF_ALL, workload.PARTITIONS))
            pipeline.fill(kafka.bootstrap_servers, _records(users, asked.events))
            sets = pipeline.sets_of(
                kafka.bootstrap_servers, store.url, "bench", *pipeline.own_topics(kafka, "bench")
            )
            run = pipeline.measure(
                sets, worker, (_FOUNDING_EVENTS + _QUIET_EVENTS) * users + _SETTLING_EVENTS
            )
            with redis.Redis.from_url(store.url) as client:
                run |= {"users": users, "redis_bytes": client.info("memory")["used_memory"]}
        runs.append(run)
        _say(run)
    dearest, cheapest = max(map(_cost, runs)), min(map(_cost, runs))
    print(f"dearest to cheapest {dearest / cheapest:.2f} x; at most {LIMIT} x is asked")
    if asked.json:
        asked.json.write_text(json.dumps({"asked": {**vars(asked), "json": None}, "runs": runs}, indent=1))


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.population",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--users", type=int, dest="sizes", action="append", help="a size; by default three")
    parser.add_argument(
        "--events",
        type=int,
        default=200_000,
        help="that count",
    )
    parser.add_argument("--json", type=Path, help="also write the figures of every run here")
    asked = parser.parse_args(arguments)
    asked.sizes = asked.sizes or [*SIZES]
    return asked


def _records(users: int, events: int) -> Iterator[tuple[str, bytes, bytes]]:
    founding, quiet = _FOUNDING_EVENTS * users, _QUIET_EVENTS * users
    founded = workload.events(founding, users, gap_ms=_FOUNDING_MS / founding, draw_user=_in_turn(users))
    at = workload.START + _FOUNDING_MS
    grown = workload.events(
        quiet, users, seed=2, gap_ms=_QUIET_MS / quiet, start=at, draw_user=_in_turn(users)
    )
    counted = workload.events(
        _SETTLING_EVENTS + events, users, seed=3, gap_ms=_GAP_MS, start=at + _QUIET_MS, draw_user=_one_of_few
    )
    for role, key, event in itertools.chain(founded, grown, counted):
        if role != "inventory":
            yield role, key.encode(), msgspec.json.encode(event)


def _in_turn(users: int) -> workload.Draw:
    return lambda number, _: (number % users + 0.5) / users


def _one_of_few(_: int, rng: Random) -> float:
    return (rng.randrange(_ACTIVE_USERS) + 0.5) / _ACTIVE_USERS


def _cost(run: dict[str, Any]) -> float:
    """CPU us an event."""
    return 1e6 * float(run["cpu_seconds"]) / float(run["events"])


def _say(run: dict[str, Any]) -> None:
    stages = {stage: 1e6 * seconds / run["events"] for stage, seconds in run["stages"].items()}
    dear = ", ".join(f"{stage} {cost:.1f}" for stage, cost in stages.items() if cost >= 0.5)
    print(
        f"{run['users']:,} users: {_cost(run):.1f} us CPU an event of {run['events']:,} ({dear}); the process had "
        f"{run['peak_bytes'] / 1e6:,.0f} MB at most, Redis has {run['redis_bytes'] / run['users']:,.0f} bytes a user",
        flush=True,
    )


if __name__ == "__main__":
    main()
