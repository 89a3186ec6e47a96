"""Does `beckon fit` find in Kafka what it finds in the same history as files?"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.flows.test_fit import as_log, orders
from tests.integration.installation import Installation, Record, lines_of
from tests.integration.shop import KafkaShop
from tests.servers.kafka import KafkaServer

FAST = {"time": {"zone": "UTC"}, "fit": {"landmarks": 3, "held_out": [0.7]}}


def test_a_topic_gives_the_parameters_of_the_same_history_in_files(
    kafka: KafkaServer, redis_url: str, tmp_path: Path
) -> None:
    log = as_log(tmp_path / "log", orders(2, 800))
    records: list[Record] = [
        ("orders", event["user_id"], line)
        for event, line in zip(
            lines_of(log / "orders.jsonl"), (log / "orders.jsonl").read_bytes().splitlines(), strict=True
        )
    ]
    with KafkaShop(tmp_path / "shop", kafka, redis_url, FAST, partitions=3) as shop:
        shop.create_topics()
        shop.write(records)
        said = shop.run("fit", "--out", tmp_path / "kafka.yaml")
        shop.write([("orders", "nobody", b"not an order")])
        answer = json.loads(shop.run("fit", "--out", tmp_path / "again.yaml", "--json"))
        shop.change({"kafka": {"topics": {"orders": "orders"}}})
        shop.run("fit", log, "--out", tmp_path / "files.yaml")

    assert "held out: Brier" in said
    assert answer["file"] == str(tmp_path / "again.yaml")
    assert any("held out: Brier" in line for line in answer["said"])
    assert (tmp_path / "kafka.yaml").read_text() == (tmp_path / "files.yaml").read_text()
    again = yaml.safe_load((tmp_path / "again.yaml").read_text())["predict"]["fitted"]["history"]
    assert again["unreadable"] == 1


def test_without_kafka_a_history_must_be_named(tmp_path: Path) -> None:
    with Installation(tmp_path, {}) as installation:
        code, said = installation.fails("fit", "--out", tmp_path / "out.yaml")
    assert code == 2
    assert "name a HISTORY" in said


def test_a_topic_that_is_not_there_is_named(kafka: KafkaServer, redis_url: str, tmp_path: Path) -> None:
    with KafkaShop(tmp_path, kafka, redis_url, FAST, partitions=1) as shop:
        code, said = shop.fails("fit", "--out", tmp_path / "out.yaml")
    assert code == 1
    assert "there is no topic" in said
