"""Do dead letters of a real broker go back once, with their key, whoever else tries and whatever dies meanwhile?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.dead_letters import KafkaDeadLetters
from connectors.log import LogError
from tests.integration.shop import KafkaShop
from tests.servers.kafka import KafkaServer

PARTITIONS = 3
TS = 1_750_000_000_000
ORDERS = 30


def order(number: int) -> bytes:
    event = {"event_id": f"e{number}", "type": "order_placed", "ts": TS + number, "user_id": f"u{number}"}
    line = {"sku": "k1", "quantity": 1, "price": 100, "category": "c1"}
    return msgspec.json.encode(
        {**event, "order_id": f"o{number}", "currency": "EUR", "total": 100, "lines": [line]}
    )


@pytest.fixture
def shop(tmp_path: Path, kafka: KafkaServer, redis_url: str) -> Iterator[KafkaShop]:
    """A shop that sells for euros, before anybody has said so to beckon; and a record that is none."""
    settings = {"input": {"bad_share": 1}, "orders": {"count_on": "placed"}}
    with KafkaShop(tmp_path, kafka, redis_url, settings, partitions=PARTITIONS) as found:
        found.create_topics()
        found.write([("orders", f"u{n}", order(n)) for n in range(ORDERS)])
        found.write([("orders", "u0", b"not json")])
        found.run("run", "--until-caught-up")
        assert len(found.read("dead_letters")) == ORDERS + 1
        yield found


def lines(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def test_what_is_an_event_by_now_goes_back_once_and_counts(shop: KafkaShop) -> None:
    listed = lines(shop.run("dlq", "list", "--json", "--limit", "100"))
    assert sorted({each["reason"] for each in listed}) == ["currency", "malformed"]
    assert len(listed) == ORDERS + 1
    assert not any("key" in each or "value" in each for each in listed), (
        "contents only where they are asked for"
    )

    shop.change({"input": {"currency": "EUR"}})
    done = [lines(shop.run("dlq", "redrive", "--all", "--json"))[0] for _ in range(2)]

    assert done[0] == {"sent": ORDERS, "stayed": {"still malformed": 1}, "left": False, "dry_run": False}
    assert done[1]["sent"] == 0
    sent = [
        message for message in shop.read("orders") if "beckon.redriven.from" in dict(message.headers() or [])
    ]
    assert {message.key(): message.value() for message in sent} == {
        f"u{n}".encode(): order(n) for n in range(ORDERS)
    }
    assert len(sent) == ORDERS
    shop.run("run", "--until-caught-up")
    users = shop.users()
    assert [users[f"u{n}"].rfm.orders for n in range(ORDERS)] == [1] * ORDERS
    assert len(shop.read("dead_letters")) == ORDERS + 1 + PARTITIONS, (
        "no new letter, and what went back is noted"
    )
    assert [each["reason"] for each in lines(shop.run("dlq", "list", "--json"))] == ["malformed"]


def test_a_mended_letter_goes_back_with_its_key(shop: KafkaShop, tmp_path: Path) -> None:
    letter = lines(shop.run("dlq", "list", "--reason", "malformed", "--json", "--values"))[0]
    assert (letter["key"], letter["value"]) == ("u0", "not json")
    good = msgspec.json.decode(order(99), type=dict[str, Any])
    mended = tmp_path / "mended.jsonl"
    mended.write_text(json.dumps({**letter, "value": json.dumps({**good, "currency": "CNY"})}) + "\n")

    assert lines(shop.run("dlq", "redrive", "--mended", mended, "--json"))[0]["sent"] == 1

    last = [
        message for message in shop.read("orders") if message.value() and b"e99" in (message.value() or b"")
    ]
    assert [message.key() for message in last] == [b"u0"]


def letters_of(shop: KafkaShop) -> KafkaDeadLetters:
    servers = shop.kafka.bootstrap_servers
    return KafkaDeadLetters(
        shop.topics["dead_letters"], bootstrap_servers=servers, app=shop.app, scan_records=1000, options={}
    )


def test_whoever_begins_later_is_the_only_one(shop: KafkaShop) -> None:
    """The first has looked, and would send what the second sends; or has died with half of it sent."""
    first, second = letters_of(shop), letters_of(shop)
    first.begin()
    seen = [each for each in first.read(nothing) if each.reason == "currency"]
    assert first._producer is not None
    first._producer.begin_transaction()
    first._send(seen[0])
    first._producer.flush(10)

    second.begin()
    assert second.redriven(nothing) == set()
    second.redrive(seen)
    with pytest.raises(LogError, match="is not known here"):
        first.redrive(seen)

    assert second.redriven(nothing) == {each.place for each in seen}
    values = [message.value() for message in shop.read("orders")]
    assert [values.count(order(n)) for n in range(ORDERS)] == [2] * ORDERS, "as it came, and back once"


def test_where_there_is_no_such_topic_it_is_said(tmp_path: Path, kafka: KafkaServer, redis_url: str) -> None:
    with KafkaShop(tmp_path, kafka, redis_url, {}, partitions=1) as shop:
        code, said = shop.fails("dlq", "list")

    assert code == 1
    assert "beckon topics create" in said


def nothing(done: int, total: int) -> None:
    """Of how far it is."""
