"""How long after an event is its trigger in a reader's hands, and where does the time go?

`python -m benchmarks.latency [--rate N] [--seconds S] [--runs N] [--guarantee G]` starts its own servers and, for each
rate and guarantee, the shipped service with default settings and all rules; a paced producer feeds it, and a
read_committed reader, in this process, takes the time from the sending of the event to the trigger. The worker has a
core to itself, everything else shares the other one.

Two rules are timed. stage_changed answers an order_paid at once, at any hour. payment_pending is a timer, with its
delay set to two seconds; it counts from its due time, of which time.out_of_orderness is a part, and from the moment at
which that was read which let the watermark pass it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import redis
from confluent_kafka import Consumer, Message, TopicPartition

from benchmarks.latency_table import Received, print_table, result_of, say_run
from benchmarks.paced import sent_ns_of
from benchmarks.stamped import TIMED
from benchmarks.workload import PARTITIONS, ROLES
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

RATES = (5000, 20_000)
GUARANTEES = ("at_least_once", "exactly_once")
_READY_SECONDS, _FLUSH_SECONDS, _DRAIN_SECONDS = 60.0, 60.0, 30.0
_DELAY_MS = 2000


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _arguments(arguments)
    load, (worker, others) = os.getloadavg()[0], cores()
    if others:
        os.sched_setaffinity(0, others)  # servers, producer and reader: they inherit it
    with (
        tempfile.TemporaryDirectory() as directory,
        KafkaServer() as kafka,
        RedisServer(Path(directory)) as store,
    ):
        runs: list[dict[str, Any]] = []
        for number in range(asked.runs):
            for rate, guarantee in product(asked.rates, asked.guarantees):
                plan = {"app": f"bench{len(runs)}", "rate": rate, "guarantee": guarantee, "worker": worker}
                runs.append(_measure(kafka, store, Path(directory), asked, plan))
                say_run(number + 1, runs[-1])
                store.flush()
    print_table(asked, runs, load, pinned=bool(others))


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rate", type=int, dest="rates", action="append", help="events a second; 5000 and 20000"
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="measured, after --warm-up")
    parser.add_argument("--warm-up", type=float, default=15.0, help="seconds that do not count")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=1, help="rates and guarantees take turns")
    parser.add_argument("--guarantee", dest="guarantees", action="append", choices=GUARANTEES)
    parser.add_argument("--set", dest="sets", action="append", default=[], help="a setting of the service")
    parser.add_argument("--json", type=Path, help="also write the figures of every run here")
    asked = parser.parse_args(arguments)
    asked.rates = asked.rates or [*RATES]
    asked.guarantees = asked.guarantees or [*GUARANTEES]
    return asked


def cores() -> tuple[set[int], set[int]]:
    """The worker's and everybody else's; two empty sets where cores cannot be chosen."""
    known = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return ({known[0]}, set(known[1:])) if len(known) > 1 else (set(), set())


# one run


def _measure(
    kafka: KafkaServer, store: RedisServer, directory: Path, asked: argparse.Namespace, plan: dict[str, Any]
) -> dict[str, Any]:
    """Topics, keys and group of its own: nothing is left of the run before."""
    app, guarantee = plan["app"], plan["guarantee"]
    kafka.create_topics({f"{app}.{role}": PARTITIONS for role in ROLES})
    settings = {
        "app": app,
        "source": "kafka",
        "redis": {"url": store.url},
        "kafka": {
            "bootstrap_servers": kafka.bootstrap_servers,
            "group_id": app,
            "instance_id": app,  # no slot to leave behind
            "topics": {role: f"{app}.{role}" for role in ROLES},
        },
        "delivery": {"guarantee": guarantee},
        "rules": {TIMED: {"delay": f"{_DELAY_MS}ms"}},
        "http": {"port": 0},
    }
    config, ways, paced = (directory / f"{app}.{kind}" for kind in ("yaml", "ways", "paced"))
    config.write_text(json.dumps(settings))  # JSON is YAML
    command = ["-m", "benchmarks.stamped", str(ways), "run", "--config", str(config), *_sets(asked)]
    log = directory / f"{app}.log"
    with _service(command, log, plan["worker"]) as service:
        _wait_until_ready(store, app, service, log)
        begun_ns = time.time_ns() + int(1e9 * asked.warm_up)
        producer = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.paced", kafka.bootstrap_servers, app,
             str(plan["rate"]), str(asked.warm_up + asked.seconds), str(asked.users), str(paced)],
        )  # fmt: skip
        longest = asked.warm_up + asked.seconds + _FLUSH_SECONDS
        received = _read_while(producer, kafka.bootstrap_servers, f"{app}.triggers", longest)
    said = json.loads(paced.read_bytes())
    return result_of(
        plan["rate"], guarantee, begun_ns, received, said, msgspec.json.decode(ways.read_bytes())
    )


def _sets(asked: argparse.Namespace) -> list[str]:
    return [word for setting in asked.sets for word in ("--set", setting)]


@contextlib.contextmanager
def _service(command: list[str], log: Path, cores: set[int]) -> Iterator[subprocess.Popen[bytes]]:
    """The service on these cores; at the end it is asked to drain, which writes down the ways."""
    before = os.sched_getaffinity(0) if cores else set()
    if cores:
        os.sched_setaffinity(0, cores)  # inherited, threads included
    try:
        with log.open("wb") as output:
            service = subprocess.Popen([sys.executable, *command], stdout=output, stderr=subprocess.STDOUT)
    finally:
        if cores:
            os.sched_setaffinity(0, before)
    try:
        yield service
        service.send_signal(signal.SIGTERM)
        if service.wait(_DRAIN_SECONDS) != 0:
            raise SystemExit(f"the service failed:\n{log.read_text()[-4000:]}")
    finally:
        if service.poll() is None:
            service.kill()
            service.wait()


def _wait_until_ready(store: RedisServer, app: str, service: subprocess.Popen[bytes], log: Path) -> None:
    """Until every shard has been opened in the store."""
    deadline = time.monotonic() + _READY_SECONDS
    with redis.Redis.from_url(store.url) as client:
        while len([*client.scan_iter(match=f"{{{app}:s*}}:meta", count=1000)]) < PARTITIONS:
            if service.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service did not open its shards:\n{log.read_text()[-4000:]}")
            time.sleep(0.05)


def _read_while(
    producer: subprocess.Popen[bytes], bootstrap_servers: str, topic: str, longest_seconds: float
) -> list[Received]:
    reader = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": "reader", "isolation.level": "read_committed",
         "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    )  # fmt: skip
    reader.assign([TopicPartition(topic, part, 0) for part in range(PARTITIONS)])
    received: list[Received] = []
    until = time.monotonic() + longest_seconds
    try:
        while producer.poll() is None:
            if time.monotonic() > until:
                raise SystemExit("the broker does not take as many events a second")
            message = reader.poll(0.1)
            if message is not None and message.error() is None:
                received += timed(message, time.time_ns())
    finally:
        reader.close()
        producer.kill()
    return received


def timed(message: Message, now_ns: int) -> Iterator[Received]:
    found: Any = message.headers()
    headers: dict[str, bytes] = dict(found)
    rule = headers["ce_type"].decode()
    if "stage_changed" in rule and "traceparent" in headers:
        yield Received("stage_changed", sent_ns_of(headers["traceparent"].decode()), now_ns, "")
    elif TIMED in rule:
        due = datetime.fromisoformat(headers["ce_time"].decode())
        yield Received(TIMED, round(due.timestamp() * 1e9), now_ns, headers["ce_id"].decode())


if __name__ == "__main__":
    main()
