"""How long until the first trigger, after a start and after a kill -9, where Redis holds a million users?

`python -m benchmarks restart [--users N ...]` starts its own servers, writes so many users into the state (each with
some views, a cart and a timer), and lets a paced producer (benchmarks/paced.py) send orders of new customers all the
time. Then `beckon run`, all settings at their default, is started, and once it has said something killed and started
again, --kills times: counted is the time from that moment to the first trigger, in a read_committed reader's hands,
of an order that was sent after it. For each N a state and topics of its own.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from benchmarks.latency import timed
from benchmarks.workload import PARTITIONS, ROLES, START
from config.load import fold_of, load
from connectors.child_process import ChildProcess
from connectors.murmur2 import partition
from flows.assemble import ledger_of
from state import events
from state.calendar import DAY
from state.fold import apply
from state.ledger import Commit
from state.user import LAYOUT, User, pack
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

_RATE = 2_000  # events a second: some 14 of them orders that are answered at once
_AT_MOST_SECONDS = 120.0
_A_COMMIT = 5_000


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.restart",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--users", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--kills", type=int, default=3)
    asked = parser.parse_args(arguments)
    for users in asked.users:
        with (
            tempfile.TemporaryDirectory(prefix="beckon-restart-") as folder,
            KafkaServer(long_running=True) as kafka,
            RedisServer(Path(folder, "redis")) as store,
        ):
            started, killed = _measure(kafka, store, Path(folder), users, asked.kills)
        print(
            f"{users:,} users: a first start {started:.1f} s, kill -9 {statistics.median(killed):.1f} s "
            f"(of {len(killed)}: {', '.join(f'{seconds:.1f}' for seconds in killed)}) to the first trigger",
            flush=True,
        )


def _measure(
    kafka: KafkaServer, store: RedisServer, folder: Path, users: int, kills: int
) -> tuple[float, list[float]]:
    app = f"restart{users}"
    topics = {role: f"{app}.{role}" for role in ROLES}
    kafka.create_topics(dict.fromkeys(topics.values(), PARTITIONS))
    sets = [
        f"app={app}", "source=kafka", f"redis.url={store.url}", "http.port=0",
        f"kafka.bootstrap_servers={kafka.bootstrap_servers}", f"kafka.group_id={app}", f"kafka.instance_id={app}",
        *(f"kafka.topics.{role}={topic}" for role, topic in topics.items()),
    ]  # fmt: skip
    print(f"writing {users:,} users", flush=True)
    _fill(sets, store.url, users)
    command = [sys.executable, "-c", "from console.cli import main; main()", "run", "--quiet"]
    command += [word for setting in sets for word in ("--set", setting)]
    sender = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.paced", kafka.bootstrap_servers, app,
         str(_RATE), "900", "100000", str(folder / "paced")],
    )  # fmt: skip
    triggers = _triggers(kafka.bootstrap_servers, topics["triggers"])
    took: list[float] = []
    service: ChildProcess | None = None
    try:
        for number in range(kills + 1):
            since = time.time_ns()
            if service is not None:
                service.kill()
            service = ChildProcess(command, log=folder / f"said-{number}.log", cwd=folder)
            took.append((_first_after(triggers, since) - since) / 1e9)
            time.sleep(3)  # between kills it has caught up
    finally:
        sender.kill()
        sender.wait()
        if service is not None:
            service.kill()
        triggers.close()  # type: ignore[attr-defined] # a generator
    return took[0], took[1:]


def _fill(sets: list[str], redis_url: str, count: int) -> None:
    """As beckon itself commits them, shard by shard."""
    settings = load(None, {}, sets)
    ledger, fold = ledger_of(settings, redis_url), fold_of(settings)
    ledger.prepare(PARTITIONS, LAYOUT)
    versions = {shard: ledger.open(shard, "bench").version for shard in range(PARTITIONS)}
    packed: dict[int, dict[str, bytes]] = {shard: {} for shard in versions}

    def commit(shard: int) -> None:
        users = packed[shard]
        ledger.begin_commit(shard, _commit(versions[shard], users))
        if ledger.finish_commits() != [True]:
            raise RuntimeError("the state is somebody else's")
        versions[shard] += 1
        users.clear()

    for number in range(count):
        user_id = f"kept-{number:08d}"
        shard = partition(user_id.encode(), PARTITIONS)
        packed[shard][user_id] = pack(_user(user_id, number, fold))
        if len(packed[shard]) >= _A_COMMIT:
            commit(shard)
    for shard in versions:
        commit(shard)
    ledger.close()


def _commit(version: int, users: dict[str, bytes]) -> Commit:
    due = int(time.time() * 1000) + 30 * DAY
    return Commit(
        owner="bench", version=version, marks={}, clock=START, watermark=START, users=users,
        timers=dict.fromkeys(users, due), watchers={}, unwatch=[], joins=[], leaves=[], calls={}, buyers={},
        items={}, outbox=[], seq=0, trim=0, trimmed_to="", scan_from=-1,
    )  # fmt: skip


def _user(user_id: str, number: int, fold: Any) -> User:
    user = User.new(user_id)
    for at in range(5):
        viewed = events.ProductViewed(
            event_id=f"{number}-{at}",
            ts=START + at,
            user_id=user_id,
            sku=f"sku-{(number + at) % 20_000}",
            price=1999,
        )
        apply(user, viewed, fold)
    apply(
        user,
        events.CartItemAdded(
            event_id=f"{number}-c",
            ts=START + 9,
            user_id=user_id,
            sku=f"sku-{number % 20_000}",
            quantity=1,
            price=1999,
        ),
        fold,
    )
    return user


def _triggers(bootstrap_servers: str, topic: str) -> Iterator[tuple[int, int]]:
    """When the order was sent and when its trigger was read, Unix nanoseconds; (0, now) where nothing came."""
    reader = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": "reader", "isolation.level": "read_committed",
         "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    )  # fmt: skip
    reader.assign([TopicPartition(topic, part, 0) for part in range(PARTITIONS)])
    try:
        while True:
            message = reader.poll(0.05)
            now = time.time_ns()
            told = [] if message is None or message.error() is not None else [*timed(message, now)]
            yield from ((each.since, now) for each in told if each.rule == "stage_changed")
            yield 0, now
    finally:
        reader.close()


def _first_after(triggers: Iterator[tuple[int, int]], since: int) -> int:
    for sent, at in triggers:
        if sent > since:
            return at
        if at - since > _AT_MOST_SECONDS * 1e9:
            raise SystemExit("no trigger came")
    raise AssertionError("it never ends")


if __name__ == "__main__":
    main()
