"""Is a topic that is not shaped as the shards need it refused in words, before anything is committed?"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.integration.installation import CART_ONLY, INPUTS, Record
from tests.integration.shop import KafkaShop
from tests.servers.kafka import KafkaServer

PARTITIONS = 4


def clicks(count: int) -> list[Record]:
    """One view by each of `count` users."""
    found: list[Record] = []
    for number in range(count):
        event = {"event_id": f"e{number}", "type": "product_viewed", "ts": 1_790_000_000_000 + number}
        user = f"user-{number}"
        found.append(("clickstream", user, msgspec.json.encode({**event, "user_id": user, "sku": "k1"})))
    return found


@pytest.fixture
def shop(tmp_path: Path, kafka: KafkaServer, redis_url: str) -> KafkaShop:
    return KafkaShop(tmp_path / "shop", kafka, redis_url, CART_ONLY, partitions=PARTITIONS)


def test_missing_topics_are_named_with_the_command_that_makes_them(shop: KafkaShop) -> None:
    with shop:
        code, said = shop.fails("run", "--until-caught-up")
        assert code == 1
        assert "beckon topics create" in said
        assert all(shop.topics[role] in said for role in INPUTS)
        shop.run("topics", "create")
        shop.run("run", "--until-caught-up")


def test_a_topic_with_another_number_of_partitions_is_refused(shop: KafkaShop) -> None:
    with shop:
        counts = dict.fromkeys(shop.topics.values(), PARTITIONS)
        shop.kafka.create_topics({**counts, shop.topics["orders"]: PARTITIONS + 1})
        code, said = shop.fails("run", "--until-caught-up")
        assert code == 1
        assert f"topic {shop.topics['orders']} has {PARTITIONS + 1} partitions" in said
        assert shop.users() == {}


def test_records_keyed_by_another_partitioner_are_refused(shop: KafkaShop) -> None:
    with shop:
        shop.create_topics()
        shop.write(clicks(40), partitioner="consistent")
        code, said = shop.fails("run", "--until-caught-up")
        assert code == 1
        assert "not co-partitioned" in said
        assert "murmur2" in said
        assert shop.users() == {}
        assert shop.read("triggers") == []
