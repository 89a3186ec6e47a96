"""Do several processes do together what one does alone, also when one of them is killed?"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.integration.installation import CART_ONLY, Record, eventually, lines_of, merged, replayed
from tests.integration.running import Running
from tests.integration.shop import KafkaShop
from tests.real_data import retailrocket
from tests.servers.kafka import KafkaServer

PARTITIONS = 4
SLOWLY: Mapping[str, Any] = {"engine": {"batch_records": 4, "commit_interval": "1ms", "commit_age": "1ms"}}
LOW_STOCK_ONLY: Mapping[str, Any] = {
    "policy": {"enabled": False},
    "rules": {
        **{rule: {"enabled": False} for rule in CART_ONLY["rules"]},
        "low_stock": {"enabled": True, "reach_per_unit": 1000},
    },
}


def wait_for_equal_shares(shop: KafkaShop, parent: Running) -> None:
    """Until the group has given both processes two shards, as Kafka's own tools show it."""
    admin = AdminClient({"bootstrap.servers": shop.kafka.bootstrap_servers, "log_level": 0})
    group = shop.settings["kafka"]["group_id"]

    def shares() -> list[int]:
        try:
            members = admin.describe_consumer_groups([group])[group].result(30).members
        except KafkaException:  # its coordinator is not up yet
            return []
        return sorted(len(member.assignment.topic_partitions) for member in members if member.assignment)

    eventually(lambda: shares() == [2, 2] or not parent.runs, what="an equal share")


def member_name(pid: int) -> str:
    """As which member of the group a child was started, as the kernel knows it; empty for one that has ended."""
    command = ["ps", "eww", "-o", "command=", "-p", str(pid)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"BECKON_MEMBER=(\S+)", listed.stdout)
    return found[1] if found else ""


def test_two_processes_find_the_same_carts_though_one_is_killed(
    kafka: KafkaServer, redis_url: str, tmp_path: Path
) -> None:
    records = retailrocket.records()
    expected = {
        t["id"] for t in lines_of(replayed(tmp_path / "replay", records, CART_ONLY) / "triggers.jsonl")
    }
    settings = merged(CART_ONLY, SLOWLY)
    with KafkaShop(tmp_path, kafka, redis_url, settings, partitions=PARTITIONS) as shop:
        shop.create_topics()
        total = shop.write(records)
        parent = shop.start("run", "--workers", "2", "--until-caught-up")
        wait_for_equal_shares(shop, parent)
        eventually(lambda: shop.marks() > total // 4 or not parent.runs, what="a quarter of the records")
        victim = parent.children()[0]
        name = member_name(victim)
        assert name
        os.kill(victim, signal.SIGKILL)
        assert shop.marks() < total, "it was not in the middle"
        # Whoever has ended meanwhile, it comes back as itself, and so to its own shards.
        eventually(lambda: name in map(member_name, parent.children()), what="the child's return")
        assert parent.wait(120) == 0, parent.said()
        assert "a child died, starting it again" in parent.said(1_000_000)
        ids = [trigger["id"] for trigger in shop.triggers()]
        assert len(ids) == len(set(ids)) == retailrocket.TRIGGERS
        assert set(ids) == expected
        assert shop.marks() == total
        assert set(shop.lag().values()) == {0}


@pytest.fixture
def two_processes(kafka: KafkaServer, redis_url: str, tmp_path: Path) -> tuple[KafkaShop, Running]:
    shop = KafkaShop(tmp_path, kafka, redis_url, LOW_STOCK_ONLY, partitions=PARTITIONS)
    shop.create_topics()
    address = shop.directory / "redis-address"  # as an address with a password comes
    address.write_text(redis_url)
    return shop, shop.start("run", "--workers", "2", environ={"BECKON__REDIS__URL_FILE": str(address)})


def test_a_letter_reaches_users_of_the_other_process(two_processes: tuple[KafkaShop, Running]) -> None:
    shop, parent = two_processes
    users = [f"u{number}" for number in range(40)]
    with shop:
        wait_for_equal_shares(shop, parent)
        now = time.time_ns() // 1_000_000
        shop.write([stock(now, "s1", 9), *(added(now, user) for user in users)])
        eventually(lambda: shop.marks() == 1 + len(users) or not parent.runs, what="the carts")
        shop.write([stock(now + 1000, "s2", 2)])
        eventually(
            lambda: len(shop.read("triggers")) >= len(users) or not parent.runs, what="a message to all"
        )
        parent.terminate()
        assert parent.wait(30) == 0, parent.said()
        messages = shop.read("triggers")
        subjects = [msgspec.json.decode(message.value() or b"")["subject"] for message in messages]
        assert sorted(subjects) == sorted(users), "each once"
        assert {message.partition() for message in messages} == set(range(PARTITIONS))


def stock(ts: int, event_id: str, available: int) -> Record:
    event = {"event_id": event_id, "type": "stock_changed", "ts": ts, "sku": "k1", "available": available}
    return "inventory", "k1", msgspec.json.encode(event)


def added(ts: int, user: str) -> Record:
    event = {"event_id": user, "type": "cart_item_added", "ts": ts, "user_id": user, "sku": "k1"}
    return "clickstream", user, msgspec.json.encode({**event, "quantity": 1, "price": 100})
