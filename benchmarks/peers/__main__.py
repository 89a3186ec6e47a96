"""How does beckon compare with other engines on one job? `python -m benchmarks.peers [--engines a,b] [--runs N]`.

Starts its own Kafka and Redis, writes one log (benchmarks/peers/job.py) and lets each engine in turn, RUNS times
around, read it from the beginning in a process with a core to itself; broker and store have the other cores. What is
told is compared with a program of its own (oracle.py). The others are built at the first run, by Maven and pip from the
registries, beside beckon and not into it; an engine that cannot be built here is named with the reason and left out.

CPU is that of the whole worker process, in microseconds an event, between two progress marks: the first --warm-up
events, in which a JVM starts and compiles, do not count. What Redis uses is in a column of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.latency import cores
from benchmarks.peers import job, log, oracle
from benchmarks.peers.builds import BuildError
from benchmarks.peers.engines import ENGINES, Peer
from benchmarks.peers.worker import Figures, WorkerError, run_beckon, run_peer
from benchmarks.workload import PARTITIONS
from tests.servers.kafka import KafkaServer, KafkaUnavailableError
from tests.servers.redis import RedisServer

_INPUTS = ("clickstream", "orders", "inventory", "customers", "engagement", "context", log.EVENTS)


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _arguments(arguments)
    names = built(asked.engines)
    if asked.build_only:
        return
    load, (worker, others) = os.getloadavg()[0], cores()
    if others:
        os.sched_setaffinity(0, others)  # the servers inherit it
    try:
        with KafkaServer(long_running=True) as kafka, RedisServer(Path(tempfile.mkdtemp())) as redis:
            kafka.create_topics(dict.fromkeys(_INPUTS, PARTITIONS))
            print(f"writing {asked.events:,} events of {asked.users:,} users", flush=True)
            count = log.fill(kafka.bootstrap_servers, job.records(asked.events, asked.users))
            expected = oracle.expected(log.read(kafka.bootstrap_servers, log.EVENTS))
            plan = {"cores": worker, "warm_up": asked.warm_up, "count": count, "expected": expected}
            print(f"{len(expected):,} triggers are right", flush=True)
            runs = _rounds(names, asked, (kafka, redis), plan)
    except KafkaUnavailableError as error:
        raise SystemExit(f"there is no Kafka to compare on: {error}") from None
    _print_table(asked, runs, load, pinned=bool(others))


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--engines", default=",".join(ENGINES), help=f"of {', '.join(ENGINES)}")
    parser.add_argument("--events", type=int, default=1_500_000)
    parser.add_argument("--warm-up", type=int, default=900_000, help="of these")
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3, help="the engines take turns")
    parser.add_argument("--json", type=Path, help="also write the figures of every run here")
    parser.add_argument("--build-only", action="store_true", help="build the engines, and no more")
    asked = parser.parse_args(arguments)
    asked.engines = engines_of(asked.engines, parser)
    if asked.events < asked.warm_up + 40_000:
        parser.error("--events must be at least 40,000 more than --warm-up")
    return asked


def engines_of(listed: str, parser: argparse.ArgumentParser) -> list[str]:
    names = [name.strip() for name in listed.split(",")]
    if unknown := [name for name in names if name not in ENGINES]:
        parser.error(f"no such engine: {', '.join(unknown)}; there are {', '.join(ENGINES)}")
    return names


def built(names: Sequence[str]) -> list[str]:
    """Those that can run here; of the others is said why not."""
    found = []
    for name in names:
        engine = ENGINES[name]
        try:
            if isinstance(engine, Peer):
                engine.command()
        except BuildError as error:
            print(f"left out: {name}: {error}", file=sys.stderr, flush=True)
        else:
            found.append(name)
    if not found:
        raise SystemExit("none of the engines can run here")
    return found


def _rounds(
    names: Sequence[str],
    asked: argparse.Namespace,
    servers: tuple[KafkaServer, RedisServer],
    plan: dict[str, Any],
) -> dict[str, list[Figures]]:
    runs: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(asked.runs):
        for name in names:
            engine = ENGINES[name]
            try:
                if isinstance(engine, Peer):
                    figures = run_peer(engine, servers, f"{name}-{number}", plan)
                else:
                    figures = run_beckon(engine, servers, f"{name}-{number}", plan)
            except WorkerError as error:
                print(f"{name}, run {number + 1}: failed: {error}", file=sys.stderr, flush=True)
                continue
            runs[name].append(figures)
            if asked.json:  # after each, for all of them take long
                asked.json.write_text(
                    json.dumps({"asked": {**vars(asked), "json": None}, "runs": runs}, indent=1)
                )
            print(
                f"{name}, run {number + 1}: {figures['cpu_us']:.2f} us CPU an event, {_verdict(figures)}",
                flush=True,
            )
    return {name: found for name, found in runs.items() if found}


def _verdict(figures: Figures) -> str:
    wrong = [f"{figures[what]:,} {what}" for what in ("missing", "repeated", "wrong") if figures[what]]
    return f"{figures['told']:,} told, " + (", ".join(wrong) or "all right")


def _print_table(
    asked: argparse.Namespace, runs: dict[str, list[Figures]], load: float, *, pinned: bool
) -> None:
    print(
        f"\n{asked.events:,} events of {asked.users:,} users, the first {asked.warm_up:,} not counted; medians of "
        f"{asked.runs}; load {load:.1f} before{'' if pinned else '; not pinned to cores'}"
    )
    print(
        f"{'engine':<18}{'CPU us/event':>13}{'(runs)':>18}{'events/s of a core':>20}{'wall':>10}{'Redis us':>10}  told"
    )
    for name, found in runs.items():
        costs = sorted(each["cpu_us"] for each in found)
        cost, span = statistics.median(costs), f"({costs[0]:.2f} - {costs[-1]:.2f})"
        wall = statistics.median(each["events_per_second"] for each in found)
        store = statistics.median(each["store_cpu_us"] for each in found)
        print(
            f"{name:<18}{cost:>13.2f}{span:>18}{1e6 / cost:>20,.0f}{wall:>10,.0f}{store:>10.2f}  {_verdict(found[-1])}"
        )


if __name__ == "__main__":
    main()
