"""Is a state, a store or a log that is not as before refused in words, all reasons at once, before anything is read?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from tests.integration.installation import CART_ONLY, Record, eventually
from tests.integration.shop import KafkaShop
from tests.servers.kafka import KafkaServer
from tests.servers.ports import free_port

TS = 1_790_000_000_000
USERS = 12
PARTITIONS = 2


@pytest.fixture
def shop(tmp_path: Path, kafka: KafkaServer, redis_url: str) -> Iterator[KafkaShop]:
    """One that has run: its state and its group know of every record."""
    with KafkaShop(tmp_path / "shop", kafka, redis_url, CART_ONLY, partitions=PARTITIONS) as shop:
        shop.create_topics()
        shop.write(carts())
        shop.run("run", "--until-caught-up")
        assert len(shop.read("triggers")) == USERS
        yield shop


@pytest.fixture
def store(shop: KafkaShop) -> Iterator[redis.Redis]:
    """Its Redis; what a test changes of its settings is taken back."""
    with redis.Redis.from_url(shop.redis_url) as client:
        yield client
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("appendonly", "yes")
        client.acl_deluser("guest")


def carts() -> list[Record]:
    found: list[Record] = []
    for number in range(2 * USERS):
        user, ts = f"u{number % USERS}", TS + number // USERS * 7_200_000
        event = {"event_id": f"e{number}", "type": "cart_item_added", "ts": ts, "user_id": user}
        value = msgspec.json.encode({**event, "sku": "k1", "quantity": 1, "price": 100})
        found.append(("clickstream", user, value))
    return found


def refusal(shop: KafkaShop) -> str:
    """What `run` says when it does not begin; nothing has changed then."""
    users, triggers = shop.users(), len(shop.read("triggers"))
    code, said = shop.fails("run", "--until-caught-up")
    assert code == 1, said
    assert "the service must not begin like this" in said
    assert (shop.users(), len(shop.read("triggers"))) == (users, triggers)
    return said


def sent(store: redis.Redis, *command: str) -> object:
    """As redis-cli does it."""
    return store.execute_command(*command)  # type: ignore[no-untyped-call]


# the store


def test_a_redis_that_forgets_is_refused_with_all_that_is_wrong(shop: KafkaShop, store: redis.Redis) -> None:
    store.config_set("maxmemory-policy", "allkeys-lru")
    store.config_set("appendonly", "no")
    said = refusal(shop)
    assert "maxmemory-policy is allkeys-lru" in said
    assert "redis-cli CONFIG SET maxmemory-policy noeviction" in said
    assert "append only file is off" in said
    assert "redis-cli CONFIG SET appendonly yes" in said
    shop.change({"redis": {"accepted_risks": ["eviction", "no_persistence"]}})
    shop.run("run", "--until-caught-up")


def test_an_eviction_policy_changed_while_running_stops_the_process(
    shop: KafkaShop, store: redis.Redis
) -> None:
    process = shop.start("run")
    eventually(lambda: "shards gained" in process.said(), what="the opening of the shards")
    store.config_set("maxmemory-policy", "volatile-ttl")
    assert process.wait(20) == 1, process.said()
    assert "maxmemory-policy is volatile-ttl" in process.said()


def test_a_redis_that_forbids_config_is_asked_by_info(shop: KafkaShop, store: redis.Redis) -> None:
    rules = ["reset", "on", ">guest", f"~{{{shop.app}*", "+@all", "-@admin", "-@dangerous", "+info"]
    sent(store, "ACL", "SETUSER", "guest", *rules)
    with_guest = shop.redis_url.replace("//", "//guest@")
    shop.change({"redis": {"url": with_guest}})
    environ = {"BECKON__REDIS__PASSWORD": "guest"}
    process = shop.start("run", "--until-caught-up", environ=environ)
    assert process.wait(60) == 0, process.said()
    store.config_set("maxmemory-policy", "allkeys-random")
    process = shop.start("run", "--until-caught-up", environ=environ)
    assert process.wait(60) == 1
    assert "maxmemory-policy is allkeys-random" in process.said()
    sent(store, "ACL", "SETUSER", "guest", "-info")
    process = shop.start("run", "--until-caught-up", environ=environ)
    assert process.wait(60) == 1
    assert "ACL SETUSER" in process.said()


# the installation


def test_another_group_and_another_topic_are_told_at_once(shop: KafkaShop) -> None:
    other = f"{shop.app}.elsewhere"
    shop.kafka.create_topics({other: PARTITIONS})
    shop.change({"kafka": {"group_id": "somebody-else", "topics": {"orders": other}}})
    said = refusal(shop)
    assert f"belongs to the consumer group {shop.app}" in said
    assert f"was built from topic {shop.topics['orders']}" in said
    assert said.count("\n  - ") == 2, said


def test_a_renamed_group_goes_on_with_the_command_it_is_told(shop: KafkaShop, store: redis.Redis) -> None:
    shop.change({"kafka": {"group_id": f"{shop.app}-renamed"}})
    command = refusal(shop).partition("redis-cli ")[2].splitlines()[0].split()
    assert sent(store, *command) == 1
    shop.run("run", "--until-caught-up")
    assert len(shop.read("triggers")) == USERS, "the journal knows what is out"


def test_another_layout_is_refused(shop: KafkaShop, store: redis.Redis) -> None:
    store.set(f"{{{shop.app}}}:shape", f"shards={PARTITIONS} layout=99")
    assert "has layout 99" in refusal(shop)


def add_partition(shop: KafkaShop, role: str) -> None:
    added = NewPartitions(shop.topics[role], PARTITIONS + 1)
    admin = AdminClient({"bootstrap.servers": shop.kafka.bootstrap_servers})
    admin.create_partitions([added])[shop.topics[role]].result(30)


def test_a_partition_added_while_running_stops_the_process(shop: KafkaShop) -> None:
    """Nobody would read it."""
    process = shop.start("run")
    eventually(lambda: "shards gained" in process.said(), what="the opening of the shards")
    add_partition(shop, "orders")
    assert process.wait(40) == 1, process.said()
    assert "the service must not go on like this" in process.said()
    assert (
        f"topic {shop.topics['orders']} has {PARTITIONS + 1} partitions, it had {PARTITIONS}"
        in process.said()
    )


@pytest.mark.parametrize("role", ["inventory", "letters"])
def test_added_partitions_are_refused(shop: KafkaShop, role: str) -> None:
    add_partition(shop, role)
    eventually(lambda: f"it had {PARTITIONS}" in refusal(shop), what="the news of the partition")


# the log


def test_a_topic_created_again_is_refused(shop: KafkaShop) -> None:
    name = shop.topics["clickstream"]
    shop.kafka.delete_topics([name])
    shop.kafka.create_topics({name: PARTITIONS})
    assert f"topic {name} was deleted and created again" in refusal(shop)


def test_a_topic_created_again_while_running_stops_the_process(shop: KafkaShop) -> None:
    """It would be read from the middle. Whoever reads it meets the gap; its id is looked at every minute."""
    process = shop.start("run")
    eventually(lambda: "shards gained" in process.said(), what="the opening of the shards")
    name = shop.topics["context"]
    shop.kafka.delete_topics([name])
    shop.kafka.create_topics({name: PARTITIONS})
    assert process.wait(90) == 1, process.said()
    words = (f"topic {name} was deleted and created again", "or the topic was recreated")
    assert any(each in process.said() for each in words), process.said()


def test_records_deleted_before_they_were_read_are_refused_and_their_loss_may_be_accepted(
    shop: KafkaShop, store: redis.Redis
) -> None:
    name = shop.topics["clickstream"]
    read = int(store.hget(f"{{{shop.app}:s00}}:marks", "clickstream/0") or b"")
    shop.write(carts())
    admin = AdminClient({"bootstrap.servers": shop.kafka.bootstrap_servers})
    cut = TopicPartition(name, 0, read + 3)
    admin.delete_records([cut])[TopicPartition(name, 0)].result(30)
    said = refusal(shop)
    assert f"topic {name}, partition 0: it was read up to offset {read}, but begins at {read + 3}" in said
    assert "2 records were deleted" in said
    command = said.partition("accept their loss: redis-cli ")[2].splitlines()[0].split()
    sent(store, *command)
    shop.run("run", "--until-caught-up")


def test_a_log_that_ends_before_our_mark_is_refused(shop: KafkaShop, store: redis.Redis) -> None:
    store.hset(f"{{{shop.app}:s01}}:marks", "orders/1", 41)
    said = refusal(shop)
    assert f"topic {shop.topics['orders']}, partition 1: it was read up to offset 41, but ends at 0" in said


def test_an_empty_store_over_a_journal_is_refused(shop: KafkaShop, store: redis.Redis) -> None:
    """Also where the group has forgotten its offsets, which is not asked here."""
    store.flushall()
    said = refusal(shop)
    assert f"says the topic {shop.topics['journal']}, but its ledger is empty" in said
    assert "beckon rebuild" in said


def test_check_says_the_same(shop: KafkaShop, store: redis.Redis) -> None:
    store.hset(f"{{{shop.app}:s01}}:marks", "orders/1", 41)
    store.config_set("maxmemory-policy", "allkeys-lru")
    code, said = shop.fails("check")
    assert code == 1
    assert "it was read up to offset 41, but ends at 0" in said
    assert "maxmemory-policy is allkeys-lru" in said


def test_several_processes_are_refused_once(shop: KafkaShop) -> None:
    shop.change({"kafka": {"group_id": "somebody-else"}, "http": {"port": free_port()}})
    code, said = shop.fails("run", "--workers", "2")
    assert code == 1
    assert said.count("must not begin") == 1
    assert "a child died" not in said
