"""Does the shipped program go on, on real servers, from the state that the release before it has left?

Redis is filled with the state of a small shop as that release wrote it (tests/layouts) until it was killed, with
triggers in its outbox; the topics are new, and as long as its marks say.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgpack
import msgspec
import pytest
import redis
from confluent_kafka import Producer

from state.calendar import HOUR, MINUTE, iso
from state.user import LAYOUT, User, unpack
from tests.integration.installation import Record
from tests.integration.shop import KafkaShop
from tests.layouts import dump
from tests.layouts.stored import NOW
from tests.layouts.test_layouts import KEPT, lines, read
from tests.layouts.test_layouts import users as kept_users
from tests.servers.kafka import KafkaServer

PARTITIONS = 2
BUYER = "shopper-0002"
FRIEND, NEIGHBOUR = (
    "guest-friend-1",
    "guest-birthday-1",
)  # who has bought a first time, and somebody of the same shard
OLDER = range(1, LAYOUT)


@pytest.fixture
def shop(tmp_path: Path, kafka: KafkaServer, redis_url: str) -> Iterator[KafkaShop]:
    with KafkaShop(tmp_path / "shop", kafka, redis_url, {}, partitions=PARTITIONS) as shop:
        shop.create_topics()
        yield shop


@pytest.fixture
def store(shop: KafkaShop) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(shop.redis_url) as client:
        yield client


def take_over(shop: KafkaShop, store: redis.Redis, layout: int) -> None:
    """Its Redis, and topics of which everything up to its marks has been read."""
    dump.fill(store, shop.app, KEPT / str(layout) / "state.jsonl")
    producer = Producer({"bootstrap.servers": shop.kafka.bootstrap_servers})
    for line in lines(layout):
        if dump.kind_of(line.key) == "marks":
            for mark, offset in line.value.items():
                role, _, part = mark.partition("/")
                for _ in range(int(offset) + 1):
                    producer.produce(shop.topics[role], b"read long ago", partition=int(part))
        elif dump.kind_of(line.key) == "meta":
            for _ in range(int(line.value["scan_from"])):
                producer.produce(shop.topics["journal"], b"", partition=int(line.key[1:3]))
    assert producer.flush(30) == 0


def blobs(store: redis.Redis, app: str) -> dict[str, list[Any]]:
    keys = [*store.scan_iter(match=f"{{{app}:s*}}:u:*")]
    found = [msgpack.unpackb(store.get(key) or b"", strict_map_key=False) for key in keys]
    return {user[1]: user for user in found}


def shape(store: redis.Redis, app: str) -> str:
    return cast("bytes", store.get(f"{{{app}}}:shape")).decode()


def known(layout: int, user_id: str) -> User:
    return unpack(dict(kept_users(layout))[user_id])


def decided(shop: KafkaShop, user_id: str, rule: str) -> list[str]:
    """For when the rule had something to say to the user, whatever became of it; each candidate once."""
    records = [msgspec.json.decode(message.value() or b"") for message in shop.read("decisions")]
    return sorted({each["at"] for each in records if (each["user_id"], each["rule"]) == (user_id, rule)})


def viewed(user: str, number: int, ts: int) -> Record:
    event = {
        "event_id": f"new{number}",
        "type": "product_viewed",
        "ts": ts,
        "user_id": user,
        "sku": "sku-001",
    }
    return "clickstream", user, msgspec.json.encode(event)


@pytest.mark.parametrize("layout", OLDER)
def test_the_state_of_an_older_release_is_taken_over(
    shop: KafkaShop, store: redis.Redis, layout: int
) -> None:
    take_over(shop, store, layout)
    before, profile = blobs(store, shop.app), read(layout, "u")[BUYER]
    waiting = {entry for entry, told in read(layout, "outbox").items() if told[0] == "triggers"}
    assert shape(store, shop.app) == f"shards={PARTITIONS} layout={layout}"
    assert waiting

    asked_at = known(layout, FRIEND).wakes["segment_changed"]
    shop.write([viewed(BUYER, 1, NOW), viewed(BUYER, 2, NOW + MINUTE), viewed(NEIGHBOUR, 3, asked_at + HOUR)])
    said = shop.run("run", "--until-caught-up")

    assert "state of an older layout, migrated when read" in said
    assert shape(store, shop.app) == f"shards={PARTITIONS} layout={LAYOUT}"
    after = blobs(store, shop.app)
    assert after.keys() == before.keys()
    assert after[BUYER][0] == LAYOUT
    assert all(user[0] == LAYOUT or user == before[user_id] for user_id, user in after.items())
    told = [trigger["id"] for trigger in shop.triggers()]
    assert waiting <= set(told), "what the older release had decided and not published"
    assert len(told) == len(set(told))
    assert decided(shop, FRIEND, "segment_changed") == [iso(asked_at)], "at the timer that was set before"
    users = shop.users()
    assert users[BUYER].rfm.orders == profile["rfm"]["orders"]
    assert users[BUYER].rfm.net_amount == profile["rfm"]["net_amount"]
    assert users[BUYER].last_seen_at == NOW + MINUTE
    assert shop.timers() == {user_id: user.due for user_id, user in users.items() if user.due is not None}

    shop.run("run", "--until-caught-up")
    assert len(shop.triggers()) == len(told), "once"


def test_a_newer_layout_is_refused_with_what_helps(shop: KafkaShop, store: redis.Redis) -> None:
    take_over(shop, store, LAYOUT)
    store.set(f"{{{shop.app}}}:shape", f"shards={PARTITIONS} layout={LAYOUT + 1}")
    before = blobs(store, shop.app)
    for command in (("run", "--until-caught-up"), ("check",)):
        code, said = shop.fails(*command)
        assert code == 1, said
        assert f"it has layout {LAYOUT + 1}, but this version of beckon reads layouts up to {LAYOUT}" in said
        assert "Run that one everywhere, or go back to the Redis of before it (docs/upgrade.md)" in said
        assert "Traceback" not in said
    assert blobs(store, shop.app) == before
    assert shop.triggers() == []


def test_who_a_newer_release_has_written_is_not_shown_by_an_older_one(
    shop: KafkaShop, store: redis.Redis
) -> None:
    take_over(shop, store, LAYOUT)
    (key,) = store.scan_iter(match=f"{{{shop.app}:s*}}:u:{BUYER}", count=10_000)
    newer = msgpack.unpackb(store.get(key) or b"", strict_map_key=False)
    store.set(key, msgpack.packb([LAYOUT + 1, *newer[1:], "a field more"]))
    for command in ("profile", "explain"):
        code, said = shop.fails(command, BUYER)
        assert code == 1, said
        assert f"layout {LAYOUT + 1}" in said
        assert "Traceback" not in said


def test_a_shard_that_a_newer_release_has_owned_stops_an_older_one(
    shop: KafkaShop, store: redis.Redis
) -> None:
    """As in a rolling upgrade, where the shape was raised after the older one had looked."""
    take_over(shop, store, LAYOUT)
    store.hset(f"{{{shop.app}:s01}}:meta", "layout", LAYOUT + 1)
    owner = store.hget(f"{{{shop.app}:s01}}:meta", "owner")
    code, said = shop.fails("run", "--until-caught-up")
    assert code == 1, said
    assert f"shard 1 has layout {LAYOUT + 1}, but" in said
    assert "Traceback" not in said
    assert "panicked" not in said
    assert store.hget(f"{{{shop.app}:s01}}:meta", "owner") == owner
