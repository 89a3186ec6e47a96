"""After Redis has lost everything: does `rebuild` bring back the same state, and nothing goes out a second time?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.integration.installation import CART_ONLY, Record, eventually, merged
from tests.integration.shop import KafkaShop
from tests.servers.kafka import KafkaServer

TS = 1_790_000_000_000
MINUTE, HOUR = 60_000, 3_600_000
USERS = 30
PARTITIONS = 4
SHOP: Mapping[str, Any] = merged(
    CART_ONLY, {"rules": {"low_stock": {"enabled": True, "reach_per_unit": 1000}}}
)


def clicked(kind: str, user: str, at: int, **more: Any) -> Record:
    event = {"event_id": f"{kind}-{user}-{at}", "type": kind, "ts": TS + at, "user_id": user, "sku": "k1"}
    return "clickstream", user, msgspec.json.encode(event | more)


def added(user: str, at: int) -> Record:
    return clicked("cart_item_added", user, at, quantity=1, price=100)


def stock(at: int, available: int) -> Record:
    event = {"event_id": f"s{at}", "type": "stock_changed", "ts": TS + at, "sku": "k1"}
    return "inventory", "k1", msgspec.json.encode({**event, "available": available})


@pytest.fixture
def shop(tmp_path: Path, kafka: KafkaServer, redis_url: str) -> Iterator[KafkaShop]:
    """Its users have been told of carts and, by letter, of a stock that falls; then they have gone on."""
    with KafkaShop(tmp_path / "shop", kafka, redis_url, SHOP, partitions=PARTITIONS) as shop:
        shop.create_topics()
        users = [f"u{number}" for number in range(USERS)]
        shop.write([stock(0, 50), *(added(user, MINUTE) for user in users)])
        shop.run("run", "--until-caught-up")
        shop.write([stock(2 * HOUR, 2)])
        shop.run("run", "--until-caught-up")
        shop.write([clicked("product_viewed", user, 3 * HOUR) for user in users[::2]])
        shop.write([added(user, 5 * HOUR) for user in users[::3]])
        shop.run("run", "--until-caught-up")
        assert len(ids(shop)) == 2 * USERS
        yield shop


def ids(shop: KafkaShop) -> list[str]:
    """Of every trigger; one that is out twice is here twice."""
    return sorted(trigger["id"] for trigger in shop.triggers())


def lost(shop: KafkaShop) -> None:
    with redis.Redis.from_url(shop.redis_url) as client:
        client.flushall()


def cut(shop: KafkaShop, role: str, offset: int, part: int = 0) -> None:
    """As retention does it."""
    admin = AdminClient({"bootstrap.servers": shop.kafka.bootstrap_servers})
    place = TopicPartition(shop.topics[role], part, offset)
    admin.delete_records([place])[TopicPartition(shop.topics[role], part)].result(30)


def permitted(shop: KafkaShop, *arguments: str) -> str:
    """What `rebuild` says, once the killed or ended processes have left the group."""
    said = ""

    def done() -> bool:
        nonlocal said
        code, said = shop.fails("rebuild", *arguments)
        assert code == 0 or "member" in said, said
        return code == 0

    eventually(done, 60, what="leaving the group")
    return said


def refused(shop: KafkaShop) -> str:
    code, said = shop.fails("rebuild")
    assert code == 1, said
    assert "nothing was changed" in said
    return said


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_everything_comes_back_and_nothing_goes_out_again(shop: KafkaShop, guarantee: str) -> None:
    shop.change({"delivery": {"guarantee": guarantee}})
    users, timers, before = shop.users(), shop.timers(), ids(shop)
    letters, decisions = len(shop.read("letters")), len(shop.read("decisions"))
    assert letters > 0
    lost(shop)
    code, said = shop.fails("run", "--until-caught-up")
    assert code == 1
    assert "beckon rebuild" in said
    said = permitted(shop)
    assert f"{PARTITIONS} shards may be built again" in said
    shop.run("run", "--until-caught-up")
    assert ids(shop) == before
    assert shop.users() == users
    assert shop.timers() == timers
    assert (len(shop.read("letters")), len(shop.read("decisions"))) == (letters, decisions)
    assert set(shop.lag().values()) == {0}


def test_what_was_never_told_is_told_once_after_it(shop: KafkaShop) -> None:
    """Events that came while the service was down, and those of the time after it."""
    before = ids(shop)
    shop.write([added("late", 10 * HOUR), added("later", 12 * HOUR)])
    lost(shop)
    permitted(shop)
    process = shop.start("run", "--until-caught-up")
    eventually(lambda: shop.marks() > 10 or not process.runs, what="the middle")
    if process.runs:
        process.kill()
    shop.run("run", "--until-caught-up")
    after = ids(shop)
    assert len(after) == len(set(after))
    assert set(before) < set(after)
    assert {t["subject"] for t in shop.triggers() if t["id"] not in before} >= {"late"}


def test_also_when_the_group_has_forgotten_its_offsets(shop: KafkaShop) -> None:
    users, before = shop.users(), ids(shop)
    admin = AdminClient({"bootstrap.servers": shop.kafka.bootstrap_servers})

    def forgotten() -> bool:
        try:
            admin.delete_consumer_groups([shop.app])[shop.app].result(30)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NON_EMPTY_GROUP:
                raise
            return False
        return True

    eventually(forgotten, what="the end of the static member's session")
    lost(shop)
    code, said = shop.fails("run", "--until-caught-up")
    assert code == 1, "a first start over a journal that is not empty"
    assert "beckon rebuild" in said
    permitted(shop)
    shop.run("run", "--until-caught-up")
    assert ids(shop) == before
    assert shop.users() == users


def test_it_is_refused_beside_a_running_service_and_where_there_is_state(shop: KafkaShop) -> None:
    process = shop.start("run")
    eventually(lambda: "shards gained" in process.said() or not process.runs, what="the opening")
    said = refused(shop)
    assert "stop `beckon run` everywhere" in said
    assert "shards 0, 1, 2, 3 are not empty" in said


def test_a_cut_topic_is_named_with_what_follows_and_may_be_accepted(shop: KafkaShop) -> None:
    before = ids(shop)
    cut(shop, "clickstream", 3, part=1)
    lost(shop)
    eventually(lambda: "member" not in refused(shop), what="leaving the group")
    said = refused(shop)
    assert f"topic {shop.topics['clickstream']}, partition 1 begins at offset 3, written 20" in said
    assert "carts and favourites from before are unknown" in said
    assert "--what-is-left" in said
    assert shop.topics["orders"] not in said
    assert "missing: topic" in permitted(shop, "--what-is-left")
    shop.run("run", "--until-caught-up")
    assert set(ids(shop)) >= set(before)
    assert len(ids(shop)) == len(set(ids(shop)))


def test_a_cut_journal_forgets_what_is_out_and_says_so(shop: KafkaShop) -> None:
    cut(shop, "journal", 1, part=2)
    lost(shop)
    eventually(lambda: "member" not in refused(shop), what="leaving the group")
    assert "triggers that the inputs still tell of come a second time, with the same ids" in refused(shop)
    before = ids(shop)
    permitted(shop, "--what-is-left")
    shop.run("run", "--until-caught-up")
    assert set(ids(shop)) == set(before), "the same ids, at most some of them twice"


def test_a_log_that_ends_before_what_was_read_is_no_log_to_rebuild_from(shop: KafkaShop) -> None:
    """As after brokers that have lost their end. (Deleting a topic makes Kafka forget how far it was read.)"""
    lost(shop)
    name = shop.topics["orders"]
    config = {"bootstrap.servers": shop.kafka.bootstrap_servers, "group.id": shop.app}

    def read_further() -> bool:
        consumer = Consumer(config)
        try:
            consumer.commit(offsets=[TopicPartition(name, 2, 7)], asynchronous=False)
        except KafkaException:
            return False
        finally:
            consumer.close()
        return True

    eventually(read_further, what="the end of the static member's session")
    assert f"topic {name}, partition 2 ends at 0, but was read up to 7" in refused(shop)
