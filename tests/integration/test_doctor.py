"""Does `beckon doctor` see what is wrong with a real installation, and name the command that mends it?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from state.ledger import Entry
from tests.integration.installation import eventually
from tests.integration.shop import KafkaShop
from tests.integration.test_status import ask
from tests.servers.kafka import KafkaServer
from tests.servers.ports import free_port

PARTITIONS = 2


@pytest.fixture
def shop(tmp_path: Path, kafka: KafkaServer, redis_url: str) -> Iterator[KafkaShop]:
    settings = {"http": {"enabled": True, "port": free_port()}, "input": {"bad_share": 1}}
    with KafkaShop(tmp_path, kafka, redis_url, settings, partitions=PARTITIONS) as found:
        yield found


def findings(shop: KafkaShop) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and the findings by their subject; of several on one subject the worst."""
    code, said = shop.fails("doctor", "--json")
    found: dict[str, dict[str, Any]] = {}
    for line in said.splitlines():
        if line.startswith("{") and '"subject"' in line:
            each = json.loads(line)
            if each["subject"] not in found or not each["good"]:
                found[each["subject"]] = each
    assert all(each["mend"] for each in found.values() if not each["good"]), "a problem without a way out"
    return code, found


def test_from_nothing_to_a_running_service(shop: KafkaShop) -> None:
    """A new platform engineer goes by what it says, until it has nothing more to say."""
    code, found = findings(shop)
    assert (code, found["topics"]["mend"]) == (1, "beckon topics create")
    assert json.loads(shop.run("topics", "create", "--json").splitlines()[0])["created"] is True

    code, found = findings(shop)
    assert (
        found["topics"]["text"] == f"topic {shop.topics['journal']} is as needed" or found["topics"]["good"]
    )
    assert (code, found["group"]["mend"]) == (1, "beckon run")

    shop.start("run")
    port = shop.settings["http"]["port"]
    eventually(lambda: ask(port, "/readyz")[0] == 200, what="readiness")
    shop.write([("orders", "u1", b"not json")])
    eventually(lambda: len(shop.read("dead_letters")) == 1, what="the dead letter")
    code, found = findings(shop)
    assert code == 0, found
    assert "1 process, still to be read: nothing" in found["group"]["text"]
    assert found["process"]["good"], found
    assert found["outbox"]["text"].startswith("empty")
    assert "dlq redrive" in found["note"]["mend"]


def test_what_has_gone_wrong_is_named(shop: KafkaShop) -> None:
    """Nobody runs, an entry is stuck, Redis is nearly full, the journal forgets too soon."""
    journal = shop.topics["journal"]
    admin = AdminClient({"bootstrap.servers": shop.kafka.bootstrap_servers})
    wanted = NewTopic(journal, PARTITIONS, 1, config={"retention.ms": "3600000"})
    admin.create_topics([wanted])[journal].result(30)
    shop.run("topics", "create")
    shop.run("run", "--until-caught-up")
    eventually(lambda: not findings(shop)[1]["group"]["good"], what="the group's farewell to its member")
    entry = Entry("t", 1, "e1", "triggers", 0, b"u1", b"{}")
    with redis.Redis.from_url(shop.redis_url) as client:
        client.rpush(f"{{{shop.app}:s00}}:outbox", msgspec.msgpack.encode(entry))
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 1.1))
        try:
            code, found = findings(shop)
        finally:
            client.config_set("maxmemory", 0)

    assert code == 1
    assert found["group"]["mend"] == "beckon run"
    assert "do not move" in found["outbox"]["text"]
    assert "of its memory is used" in found["redis"]["text"]
    assert f"--entity-name {journal}" in found["topics"]["mend"]
