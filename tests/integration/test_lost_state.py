"""Does a store or a broker that has forgotten what it acknowledged lead to a repeated trigger?"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import redis
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from tests.integration.installation import CART_ONLY, Record, eventually
from tests.integration.shop import KafkaShop
from tests.servers.kafka import KafkaServer

TS = 1_790_000_000_000
USERS = 12


@pytest.fixture
def shop(tmp_path: Path, kafka: KafkaServer, redis_url: str) -> KafkaShop:
    """One that has published a trigger for each of its users."""
    shop = KafkaShop(tmp_path / "shop", kafka, redis_url, CART_ONLY, partitions=2)
    shop.create_topics()
    shop.write(carts())
    shop.run("run", "--until-caught-up")
    assert len(shop.read("triggers")) == USERS
    return shop


def carts() -> list[Record]:
    found: list[Record] = []
    for number in range(2 * USERS):
        user, ts = f"u{number % USERS}", TS + number // USERS * 7_200_000
        event = {"event_id": f"e{number}", "type": "cart_item_added", "ts": ts, "user_id": user}
        value = msgspec.json.encode({**event, "sku": "k1", "quantity": 1, "price": 100})
        found.append(("clickstream", user, value))
    return found


def forgotten(shop: KafkaShop) -> bool:
    """Delete the group with its offsets; refused for as long as it has members."""
    admin = AdminClient({"bootstrap.servers": shop.kafka.bootstrap_servers})
    try:
        admin.delete_consumer_groups([shop.app])[shop.app].result(30)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.NON_EMPTY_GROUP:
            raise
        return False
    return True


def test_an_emptied_redis_is_refused(shop: KafkaShop) -> None:
    with shop, redis.Redis.from_url(shop.redis_url) as client:
        client.flushall()
        code, said = shop.fails("run", "--until-caught-up")
        assert code == 1
        assert "its ledger is empty" in said
        assert "beckon rebuild" in said
        assert len(shop.read("triggers")) == USERS


def test_lost_offsets_of_the_group_are_made_good(shop: KafkaShop) -> None:
    """The ledger knows how far the state is, the journal what is out: nothing is repeated."""
    with shop:
        assert shop.outbox() == 0
        eventually(lambda: forgotten(shop), what="the end of the static member's session")
        shop.run("run", "--until-caught-up")
        assert len(shop.read("triggers")) == USERS
        assert set(shop.lag().values()) == {0}
