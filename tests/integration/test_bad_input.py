"""Does bad input reach the dead-letter topic of a real broker once, untouched, while good input has its effect?"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from confluent_kafka import KafkaError, Message, Producer

from connectors.codec import RejectReason
from tests.integration.installation import CART_ONLY, INPUTS, Installation, merged, write_history
from tests.integration.shop import KafkaShop
from tests.servers.kafka import KafkaServer

SEED = 7
PARTITIONS = 4
GOOD = 2000
TS = 1_750_000_000_000
Place = tuple[str, int, int]
"""Topic, partition, offset."""


def added(number: int) -> dict[str, Any]:
    event = {"event_id": f"e{number}", "type": "cart_item_added", "ts": TS + number, "user_id": f"u{number}"}
    return {**event, "sku": "k1", "quantity": 1, "price": 100}


def good() -> Iterator[tuple[str, bytes, bytes]]:
    """Half of them JSON, half MessagePack."""
    for number in range(GOOD):
        encode = (msgspec.json.encode, msgspec.msgpack.encode)[number % 2]
        yield "clickstream", f"u{number}".encode(), encode(added(number))


def bad(rng: random.Random) -> Iterator[tuple[str, bytes, bytes | None]]:
    """On every topic: what a producer, a network or an enemy may send."""
    whole = msgspec.json.encode(added(0))
    fixed: list[bytes | None] = [
        None,
        b"",
        b"\n",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b'{"event_id": "\xff"}',
        whole[:-1],
        whole.replace(b"100", b"NaN"),
        whole.replace(b'"quantity":1', b'"quantity":-1'),
        whole.replace(b"cart_item_added", b"no_such_type"),
        whole.replace(str(TS).encode(), b"9" * 30),
        whole.replace(str(TS).encode(), b"7258118399999"),  # the year 2199
        whole.replace(b'"user_id":"u0",', b""),
        whole + b" " * 300_000,
        b'{"event_id":' + b"[" * 100_000,
        b"\x81\xa8event_id" + b"\x91" * 100_000,
        b"\xdf\xff\xff\xff\xff",
    ]
    for role in INPUTS:
        for number, value in enumerate(fixed):
            yield role, f"bad-{number}".encode(), value
        for number in range(100):
            yield role, f"random-{number}".encode(), rng.randbytes(rng.randrange(200))


def write(
    shop: KafkaShop, records: list[tuple[str, bytes, bytes | None]]
) -> dict[Place, tuple[bytes, bytes]]:
    """Where each record came to lie: key and value by place."""
    placed: dict[Place, tuple[bytes, bytes]] = {}

    def note(error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        topic, part, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert part is not None
        assert offset is not None
        key, value = message.key(), message.value()
        placed[topic, part, offset] = (key or b"", value or b"")

    producer = Producer({"bootstrap.servers": shop.kafka.bootstrap_servers, "partitioner": "murmur2_random"})
    for role, key, value in records:
        producer.produce(shop.topics[role], value, key, on_delivery=note)
        producer.poll(0)
    assert producer.flush(30) == 0
    assert len(placed) == len(records)
    return placed


def place_of(letter: Message) -> Place:
    listed = cast("list[tuple[str, bytes]]", letter.headers())
    headers = {name: value.decode() for name, value in listed}
    assert RejectReason(headers["beckon.reason"])
    assert headers["__connect.errors.exception.message"]
    topic, part, offset = (headers[f"__connect.errors.{name}"] for name in ("topic", "partition", "offset"))
    return topic, int(part), int(offset)


def test_on_kafka(kafka: KafkaServer, redis_url: str, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    settings: Mapping[str, Any] = merged(CART_ONLY, {"input": {"bad_share": 1}})
    garbage = list(bad(rng))
    records = [*good(), *garbage]
    rng.shuffle(records)
    with KafkaShop(tmp_path, kafka, redis_url, settings, partitions=PARTITIONS) as shop:
        shop.create_topics()
        placed = write(shop, records)
        shop.run("run", "--until-caught-up")
        letters = shop.read("dead_letters")
        found = {place_of(letter): (letter.key() or b"", letter.value() or b"") for letter in letters}
        assert len(letters) == len(found) == len(garbage)
        assert found == {place: record for place, record in placed.items() if not record[0].startswith(b"u")}
        carts = {user.user_id: list(user.cart.lines) for user in shop.users().values()}
        assert carts == {f"u{number}": ["k1"] for number in range(GOOD)}
        assert set(shop.lag().values()) == {0}
        shop.run("run", "--until-caught-up")
        assert len(shop.read("dead_letters")) == len(garbage), "a second start said it again"


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_more_than_the_share_stops_the_service_in_words(share: float, tmp_path: Path) -> None:
    settings = {"files": {"directory": "log"}, "input": {"bad_share": share}}
    good_records = [("clickstream", "", msgspec.json.encode(added(number))) for number in range(200)]
    write_history(tmp_path / "log", [*good_records, *[("clickstream", "", b"junk")] * 201])
    with Installation(tmp_path, settings) as installation:
        code, said = installation.fails("run", "--until-caught-up")
        assert code == 1
        assert "201 of the last minute's 401 input records are bad, more than input.bad_share allows" in said
        assert "Traceback" not in said
    assert (
        not (tmp_path / "log" / "dead_letters.jsonl").exists()
        or not (tmp_path / "log" / "dead_letters.jsonl").read_bytes()
    )
