"""How many events a second does one process take from real Kafka through real Redis to the trigger topic?

`python -m benchmarks.pipeline [--events N] [--users N] [--runs N] [--form json|msgpack] [--guarantee G] [--rules R]`
starts its own servers, writes a seeded backlog, runs the shipped flow over it and prints a table by stage.
`--rules both` takes turns between the nine rules of the first release and the whole catalogue, over the same log.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from benchmarks import workload
from tests.other_rules import FIRST, others
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

OF_A_RUN = ("letters", "journal")  # each run has its own
OF_ALL = [role for role in workload.ROLES if role not in OF_A_RUN]


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _arguments(arguments)
    with KafkaServer(long_running=True) as kafka, RedisServer(Path(tempfile.mkdtemp())) as redis:
        kafka.create_topics(dict.fromkeys(OF_ALL, workload.PARTITIONS))
        print(f"writing {asked.events:,} events of {asked.users:,} users as {asked.form}", flush=True)
        fill(kafka.bootstrap_servers, workload.records(asked.events, asked.users, asked.form))
        chosen = ("first", "all") if asked.rules == "both" else (asked.rules,)
        runs: dict[str, list[dict[str, Any]]] = {rules: [] for rules in chosen}
        for run in range(asked.runs):
            for rules in chosen:
                off = others(*FIRST) if rules == "first" else ()
                app = f"bench{run}-{rules}"
                sets = sets_of(
                    kafka.bootstrap_servers, redis.url, app, *own_topics(kafka, app),
                    f"delivery.guarantee={asked.guarantee}", *(f"rules.{rule}.enabled=false" for rule in off),
                )  # fmt: skip
                result = measure(sets)
                rate = result["events"] / result["wall_seconds"]
                print(
                    f"{rules} rules: {rate:>9,.0f} events/s, {_cost(result):.2f} us CPU an event", flush=True
                )
                runs[rules].append(result)
                redis.flush()
    for rules, measured in runs.items():
        print(
            f"\n{asked.events:,} events, {asked.form}, {asked.guarantee}, {rules} rules, one process, "
            f"median of {len(measured)}"
        )
        print_table(measured[0]["events"], measured)
    if asked.rules == "both":
        pairs = zip(runs["first"], runs["all"], strict=True)
        ratios = [_cost(whole) / _cost(first) for first, whole in pairs]
        print(f"\nwhole catalogue / the first nine rules: {statistics.median(ratios):.2f} x CPU an event")
    if asked.json:
        asked.json.write_text(json.dumps({"asked": {**vars(asked), "json": None}, "runs": runs}, indent=1))


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pipeline",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--form", choices=("json", "msgpack"), default="json")
    parser.add_argument("--guarantee", choices=("exactly_once", "at_least_once"), default="exactly_once")
    parser.add_argument("--rules", choices=("all", "first", "both"), default="both")
    parser.add_argument("--json", type=Path, help="also write the figures of every run here")
    return parser.parse_args(arguments)


def fill(bootstrap_servers: str, records: Iterable[tuple[str, bytes, bytes]]) -> None:
    """Write (topic, key, value), and wait until it is written."""
    producer = Producer(
        {"bootstrap.servers": bootstrap_servers, "partitioner": "murmur2_random", "linger.ms": 20,
         "queue.buffering.max.messages": 1_000_000}
    )  # fmt: skip
    for number, (role, key, value) in enumerate(records):
        producer.produce(role, value, key)
        if number % 10_000 == 0:
            producer.poll(0.05)
    producer.flush()


def sets_of(bootstrap_servers: str, redis_url: str, app: str, *more: str) -> list[str]:
    """Of one run over the same log: under another app name and group nothing is left of the run before."""
    return [
        "source=kafka", "sink=kafka", f"kafka.bootstrap_servers={bootstrap_servers}", f"redis.url={redis_url}",
        f"app={app}", f"kafka.group_id={app}", "logs.level=error", *more,
    ]  # fmt: skip


def own_topics(kafka: KafkaServer, app: str) -> list[str]:
    """Make the topics of which a run reads what it wrote, or else the one before; settings with their names."""
    names = {role: f"{app}.{role}" for role in OF_A_RUN}
    kafka.create_topics(dict.fromkeys(names.values(), workload.PARTITIONS))
    return [f"kafka.topics.{role}={name}" for role, name in names.items()]


def measure(sets: Sequence[str], cores: Collection[int] = (), warm_up: int = 0) -> dict[str, Any]:
    """What benchmarks.measured says of a run in a process of its own, on these cores; none: on any.

    The first `warm_up` records do not count.
    """
    pin = ("taskset", "--cpu-list", ",".join(map(str, cores))) if cores else ()
    done = subprocess.run(
        [*pin, sys.executable, "-m", "benchmarks.measured", str(warm_up), *sets],
        stdout=subprocess.PIPE, check=True, text=True, env=os.environ,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _cost(result: dict[str, Any]) -> float:
    """CPU us an event."""
    return 1e6 * float(result["cpu_seconds"]) / float(result["events"])


def print_table(count: int, runs: list[dict[str, Any]]) -> None:
    """CPU of `count` events by stage, and what the stage took by the clock: what is more is waiting. Medians."""
    rates = [count / run["wall_seconds"] for run in runs]
    print(f"{'events/s':<24}{statistics.median(rates):>12,.0f}   ({min(rates):,.0f} - {max(rates):,.0f})")
    costs, passed = (
        {stage: statistics.median(1e6 * run[of][stage] / count for run in runs) for stage in runs[0][of]}
        for of in ("stages", "stages_wall")
    )
    total = statistics.median(1e6 * run["cpu_seconds"] / count for run in runs)
    wall = statistics.median(1e6 * run["wall_seconds"] / count for run in runs)
    thread = statistics.median(1e6 * run["thread_seconds"] / count for run in runs)
    costs["the rest of the flow"] = thread - sum(costs.values())
    passed["the rest of the flow"] = wall - sum(passed.values())
    costs["librdkafka's threads"] = total - thread
    print(f"{'us/event':<24}{'CPU':>12}{'by the clock':>14}")
    print(f"{'':<24}{total:>12.2f}{wall:>14.2f}")
    for stage, cost in costs.items():
        print(f"  {stage:<22}{cost:>12.2f}{_or_none(passed.get(stage)):>14}")


def _or_none(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.2f}"


if __name__ == "__main__":
    main()
