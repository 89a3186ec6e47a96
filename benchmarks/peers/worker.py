"""What does one run of an engine cost? A process on its own core, the marks it prints, and what it has told."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
from redis import Redis

from benchmarks import pipeline
from benchmarks.peers import log
from benchmarks.peers.engines import OWN_ROLES, RULES, Beckon, Peer
from benchmarks.peers.job import CART_DELAY_MS, LADDER, OUT_OF_ORDERNESS_MS
from benchmarks.peers.oracle import Told
from benchmarks.workload import PARTITIONS
from connectors.child_process import ChildProcess
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

MARK_EVERY = 20_000
_STALLED_SECONDS = 180.0  # without a mark; Java starts slowly on a core that others use too
_QUIET_SECONDS = 20.0  # nothing more was told for so long after the last event: it never will be

Figures = dict[str, Any]
"""cpu_us and store_cpu_us an event, events_per_second, and how many triggers are told, missing, repeated, wrong."""


class WorkerError(RuntimeError):
    """An engine ended or stood still; the text has its last lines."""


def run_peer(
    peer: Peer, servers: tuple[KafkaServer, RedisServer], run: str, plan: Mapping[str, Any]
) -> Figures:
    """`plan`: cores, warm_up, count, expected. Topic, group and folder are its own."""
    kafka, redis = servers
    kafka.create_topics({run: PARTITIONS})
    with tempfile.TemporaryDirectory(prefix="beckon-peers-") as folder:
        said = Path(folder, "said.log")
        settings = settings_of(peer, servers, run, log.EVENTS, Path(folder))
        command = [*pinned(plan["cores"]), *peer.command(), *settings]
        before = _store_seconds(redis)
        worker = ChildProcess(command, log=said, cwd=Path(folder))
        try:
            _wait_for_events(worker, said, plan["count"])
            store = _store_seconds(redis) - before
            told = _wait_for_triggers(kafka.bootstrap_servers, run, plan["expected"])
        finally:
            worker.kill()
        marks = _marks(said)
    first, last = next(mark for mark in marks if mark["events"] >= plan["warm_up"]), marks[-1]
    figures = _between(first, last)
    return {
        **figures, "store_cpu_us": 1e6 * store / plan["count"], "marks": marks, **_judged(told, plan["expected"])
    }  # fmt: skip


def run_beckon(
    beckon: Beckon, servers: tuple[KafkaServer, RedisServer], run: str, plan: Mapping[str, Any]
) -> Figures:
    """The same of the shipped flow, by benchmarks.measured, which reads until it has caught up."""
    kafka, redis = servers
    kafka.create_topics({f"{run}.{role}": PARTITIONS for role in OWN_ROLES})
    before = _store_seconds(redis)
    sets = beckon.sets(kafka.bootstrap_servers, redis.url, run)
    result = pipeline.measure(sets, plan["cores"], plan["warm_up"])
    store = _store_seconds(redis) - before
    redis.flush()
    events = result["records"]["clickstream"] + result["records"]["orders"]
    topic = f"{run}.triggers" if beckon.alone else f"{run}.decisions"
    told = log.told_in(log.read(kafka.bootstrap_servers, topic))
    if (
        not beckon.alone
    ):  # behind gates most are not sent, or not at once: what was decided on is compared, each once
        told = Counter({each for each in told if each[0] in RULES})
    return {
        "events": events,
        "cpu_us": 1e6 * result["cpu_seconds"] / events,
        "events_per_second": events / result["wall_seconds"],
        "store_cpu_us": 1e6 * store / plan["count"],
        "stages_us": {stage: 1e6 * seconds / events for stage, seconds in result["stages"].items()},
        **_judged(told, plan["expected"]),
    }


def settings_of(
    peer: Peer, servers: tuple[KafkaServer, RedisServer], run: str, source: str, folder: Path
) -> list[str]:
    """Of a peer that reads the topic `source` and writes to the topic `run`."""
    kafka, redis = servers
    settings = {
        "bootstrap": kafka.bootstrap_servers, "redis": redis.url, "input": source, "output": run, "group": run,
        "guarantee": peer.guarantee, "directory": folder, "mark_every": MARK_EVERY,
        "cart_delay_ms": CART_DELAY_MS, "ladder": ",".join(map(str, LADDER)),
        "out_of_orderness_ms": OUT_OF_ORDERNESS_MS, **peer.knobs,
    }  # fmt: skip
    return [f"{name}={value}" for name, value in settings.items()]


def pinned(cores: Collection[int]) -> list[str]:
    return ["taskset", "--cpu-list", ",".join(map(str, cores))] if cores else []


def _marks(said: Path) -> list[dict[str, float]]:
    lines = said.read_text(errors="replace").splitlines()
    return [
        msgspec.json.decode(line) for line in lines if line.startswith('{"events"') and line.endswith("}")
    ]


def _wait_for_events(worker: ChildProcess, said: Path, count: int) -> None:
    """Until the last mark before `count`."""
    seen, since = 0.0, time.monotonic()
    while seen + MARK_EVERY <= count:
        time.sleep(0.2)
        if worker.exit_code() is not None:
            raise WorkerError(f"it ended with code {worker.exit_code()}:\n{worker.log_tail()}")
        marks = _marks(said)
        if marks and marks[-1]["events"] > seen:
            seen, since = marks[-1]["events"], time.monotonic()
        elif time.monotonic() - since > _STALLED_SECONDS:
            raise WorkerError(f"no progress after {seen:,.0f} events:\n{worker.log_tail()}")


def _wait_for_triggers(bootstrap_servers: str, topic: str, expected: set[Told]) -> dict[Told, int]:
    """What can be read, once all that is right is there or nothing more has come for a while."""
    told, since = log.told_in(log.read(bootstrap_servers, topic)), time.monotonic()
    while not told.keys() >= expected and time.monotonic() - since < _QUIET_SECONDS:
        time.sleep(1.0)
        now = log.told_in(log.read(bootstrap_servers, topic))
        if now != told:
            told, since = now, time.monotonic()
    return told


def _between(first: Mapping[str, float], last: Mapping[str, float]) -> Figures:
    events = last["events"] - first["events"]
    return {
        "events": events,
        "cpu_us": 1e6 * (last["cpu_seconds"] - first["cpu_seconds"]) / events,
        "events_per_second": events / (last["wall_seconds"] - first["wall_seconds"]),
    }


def _judged(told: Mapping[Told, int], expected: set[Told]) -> dict[str, int]:
    return {
        "told": sum(told.values()),
        "missing": len(expected - told.keys()),
        "repeated": sum(told.values()) - len(told),
        "wrong": len(told.keys() - expected),
    }


def _store_seconds(redis: RedisServer) -> float:
    """CPU that Redis has used so far."""
    with Redis.from_url(redis.url) as client:
        used: dict[str, float] = client.info("cpu")
    return used["used_cpu_user"] + used["used_cpu_sys"]
