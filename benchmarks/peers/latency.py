"""How long after an order is its milestone in a reader's hands, and how long does a kill -9 hold it up?

`python -m benchmarks.peers.latency [--engines a,b] [--rate N]`: a paced producer (paced.py) sends the job as of now;
spend_milestone answers an order at once, and names it, so a read_committed reader in this process knows when it was
sent. After --warm-up and --seconds the worker is killed and started again at once; counted is the time to the first
trigger of an order that was sent after the kill. The worker has a core to itself, everything else shares the others.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from benchmarks.latency import cores
from benchmarks.peers import log
from benchmarks.peers.__main__ import built, engines_of
from benchmarks.peers.engines import ENGINES, OWN_ROLES, Beckon, Peer
from benchmarks.peers.paced import sent_ns_of
from benchmarks.peers.worker import Figures, pinned, settings_of
from benchmarks.workload import PARTITIONS, ROLES
from connectors.child_process import ChildProcess
from tests.servers.kafka import KafkaServer, KafkaUnavailableError
from tests.servers.redis import RedisServer

_DEFAULT = "flink-heap,flink-heap-eo,streams,streams-eo,quix,bytewax,beckon-two,beckon-two-eo,beckon-all-eo"
_RECOVERY_SECONDS = 90.0

Read = tuple[int, int]
"""When an order was sent and when its trigger was read, Unix nanoseconds."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.latency", description=__doc__)
    parser.add_argument("--engines", default=_DEFAULT, help=f"of {', '.join(ENGINES)}")
    parser.add_argument("--rate", type=int, default=5_000, help="events a second")
    parser.add_argument("--warm-up", type=float, default=30.0, help="seconds that do not count")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=1, help="the engines take turns")
    parser.add_argument("--json", type=Path, help="also write the figures of every run here")
    asked = parser.parse_args(arguments)
    names = built(engines_of(asked.engines, parser))
    worker, others = cores()
    if others:
        os.sched_setaffinity(0, others)
    runs: list[Figures] = []
    try:
        with KafkaServer(long_running=True) as kafka, RedisServer(Path(tempfile.mkdtemp())) as redis:
            for number in range(asked.runs):
                for name in names:
                    figures = _measure(ENGINES[name], (kafka, redis), f"{name}-paced{number}", asked, worker)
                    runs.append({"engine": name, **figures})
                    print(_line(runs[-1]), flush=True)
    except KafkaUnavailableError as error:
        raise SystemExit(f"there is no Kafka to compare on: {error}") from None
    if asked.json:
        asked.json.write_text(json.dumps({"asked": {**vars(asked), "json": None}, "runs": runs}, indent=1))


def _line(run: Figures) -> str:
    held = "no trigger" if run["recovery_seconds"] is None else f"{run['recovery_seconds']:.1f} s"
    return (
        f"{run['engine']}: p50 {run['p50_ms']:.1f}, p99 {run['p99_ms']:.1f} ms of {run['triggers']:,} triggers; "
        f"kill -9 to the first: {held}, {run['repeated']:,} repeated in all"
    )


def _measure(
    engine: Peer | Beckon,
    servers: tuple[KafkaServer, RedisServer],
    run: str,
    asked: argparse.Namespace,
    worker_cores: set[int],
) -> Figures:
    kafka, redis = servers
    is_peer = isinstance(engine, Peer)
    topics = (f"{run}.events",) * 2 if is_peer else (f"{run}.clickstream", f"{run}.orders")
    output = run if is_peer else f"{run}.triggers"
    kafka.create_topics(dict.fromkeys({*topics, output, *(() if is_peer else _roles(run))}, PARTITIONS))
    with tempfile.TemporaryDirectory(prefix="beckon-peers-") as folder:
        command = [*pinned(worker_cores), *_command(engine, servers, run, Path(folder))]
        worker = ChildProcess(command, log=Path(folder, "said.log"), cwd=Path(folder))
        seconds = asked.warm_up + asked.seconds
        sender = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.paced", kafka.bootstrap_servers, *topics,
             str(asked.rate), str(seconds + _RECOVERY_SECONDS), str(asked.users)],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        read: list[Read] = []
        reading = _reading(kafka.bootstrap_servers, output, read)
        try:
            began = time.time_ns()
            _go_on(reading, lambda: time.time_ns() - began > 1e9 * seconds)
            steady = [*read]
            worker.kill()
            killed = time.time_ns()
            again = [*command, *_resumed(Path(folder))] if is_peer else command
            worker = ChildProcess(again, log=Path(folder, "again.log"), cwd=Path(folder))
            _go_on(
                reading, lambda: _first_after(killed, read) is not None or time.time_ns() - killed > 1e9 * 80
            )
        finally:
            sender.kill()
            sender.wait()
            worker.kill()
            reading.close()
    redis.flush()
    first = _first_after(killed, read)
    counted = [(at - sent) / 1e6 for sent, at in steady if sent - began > 1e9 * asked.warm_up]
    cuts = statistics.quantiles(counted, n=100) if len(counted) > 1 else [float("nan")] * 99
    repeated = len(read) - len({sent for sent, _ in read})
    return {
        "p50_ms": cuts[49], "p99_ms": cuts[98], "triggers": len(counted), "repeated": repeated,
        "recovery_seconds": None if first is None else (first - killed) / 1e9,
    }  # fmt: skip


def _roles(run: str) -> list[str]:
    return [f"{run}.{role}" for role in ROLES]


def _command(
    engine: Peer | Beckon, servers: tuple[KafkaServer, RedisServer], run: str, folder: Path
) -> list[str]:
    kafka, redis = servers
    if isinstance(engine, Peer):
        return [*engine.command(), *settings_of(engine, servers, run, f"{run}.events", folder)]
    sets = engine.sets(kafka.bootstrap_servers, redis.url, run)
    sets += [f"kafka.topics.{role}={run}.{role}" for role in ROLES if role not in OWN_ROLES]
    sets += ["http.port=0", f"kafka.instance_id={run}"]
    program = [sys.executable, "-c", "from console.cli import main; main()", "run", "--quiet"]
    return [*program, *(word for setting in sets for word in ("--set", setting))]


def _resumed(folder: Path) -> list[str]:
    """Where Flink goes on: its last complete checkpoint. The others find their own way."""
    complete = [path.parent for path in folder.glob("checkpoints/*/chk-*/_metadata")]
    newest = max(complete, key=lambda path: int(path.name.partition("-")[2]), default=None)
    return [] if newest is None else [f"resume=file://{newest}"]


def _reading(bootstrap_servers: str, topic: str, read: list[Read]) -> Generator[None]:
    """Appends to `read`, a poll at a time."""
    reader = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": "peers-reader", "enable.auto.commit": False,
         "isolation.level": "read_committed", "auto.offset.reset": "earliest"}
    )  # fmt: skip
    reader.assign([TopicPartition(topic, part, 0) for part in range(PARTITIONS)])
    try:
        while True:
            message = reader.poll(0.05)
            if message is not None and message.error() is None:
                now = time.time_ns()
                for rule, _, anchor in log.told_in([message.value() or b""]):
                    if rule == "spend_milestone":
                        read.append((sent_ns_of(anchor), now))
            yield
    finally:
        reader.close()


def _go_on(reading: Iterator[None], is_enough: Callable[[], bool]) -> None:
    while not is_enough():
        next(reading)


def _first_after(killed: int, read: list[Read]) -> int | None:
    return next((at for sent, at in read if sent > killed), None)


if __name__ == "__main__":
    main()
