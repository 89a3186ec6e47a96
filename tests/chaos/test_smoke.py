"""Does nothing get lost or said twice by the faults that come most often? A few minutes of `make chaos`, in small.

And is the program that says so able to say otherwise, on a real broker and a real Redis?
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import redis
from confluent_kafka import Producer

from tests.chaos.outcome import Outcome
from tests.chaos.settings import SETTINGS
from tests.chaos.stage import Stage
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

SEED = 7


@pytest.fixture
def stage(kafka: KafkaServer, redis_server: RedisServer, tmp_path: Path) -> Iterator[Stage]:
    with Stage(
        tmp_path / "stage", kafka, redis_server, row="smoke", seed=SEED, settings={}, through={}, tell=print
    ) as stage:
        yield stage


def assert_exact(outcome: Outcome) -> None:
    assert outcome.clean, (outcome.verdict, outcome.points)
    checked = outcome.verdict["checked"]
    for rule in SETTINGS["rules"]:
        if SETTINGS["rules"][rule].get("enabled", True):
            assert checked[rule] > 0, f"nobody was told by {rule}: the shop was open for too short a time"


def test_kill_9_and_then_the_verifier_finds_what_was_spoiled(stage: Stage) -> None:
    stage.begin(workers=2)
    for count in (1, 2):
        stage.wait(0.5, 1.5)
        stage.kill(stage.workers[:count])
        stage.note(f"kill -9 of {count} of 2", stage.await_progress())
    stage.wait(3.0, 4.0)
    assert_exact(stage.conclude())

    assert spoil_a_user(stage)["counts"] == {"state": 1}
    say_again(stage)
    assert stage.judge()["counts"] == {"state": 1, "twice": 1}
    tell_what_nobody_reads(stage)
    assert stage.judge()["counts"] == {"state": 2, "twice": 1, "lost": 2, "unfinished": 2}


def spoil_a_user(stage: Stage) -> dict[str, Any]:
    """Somebody's net amount is a cent off."""
    with redis.Redis.from_url(stage.redis.url) as client:
        for key in client.scan_iter(match=f"{{{stage.shop.app}:s*}}:u:*"):
            blob = client.get(key)
            assert isinstance(blob, bytes)
            user = msgpack.unpackb(blob, strict_map_key=False)
            if user[12] and user[12][2]:
                user[12][3] += 1
                client.set(key, msgpack.packb(user))
                return stage.judge()
    raise AssertionError("nobody has bought anything")


def say_again(stage: Stage) -> None:
    """The last trigger once more, by somebody who is not beckon."""
    message = stage.shop.read("triggers")[-1]
    producer = Producer({"bootstrap.servers": stage.kafka.bootstrap_servers})
    partition = message.partition()
    assert partition is not None
    producer.produce(stage.shop.topics["triggers"], message.value(), message.key(), partition=partition)
    assert producer.flush(30) == 0


def tell_what_nobody_reads(stage: Stage) -> None:
    """An unpaid order, and no beckon to remind of it."""
    order: dict[str, Any] = {
        "event_id": "late",
        "type": "order_placed",
        "user_id": "nobody",
        "order_id": "o1",
    }
    order |= {"ts": 1_790_000_000_000, "total": 1, "lines": [{"sku": "k1", "quantity": 1, "price": 1}]}
    stage.shop.write([("orders", "nobody", json.dumps(order).encode())])


def test_sigterm_leaves_nothing_undone(stage: Stage) -> None:
    stage.begin()
    stage.wait(0.5, 1.5)
    stage.workers[0].terminate()
    assert stage.workers[0].wait(10) == 0
    assert stage.shop.outbox() == 0
    assert stage.undone() == 0
    stage.start()
    stage.await_progress()
    stage.wait(3.0, 4.0)
    assert_exact(stage.conclude())
