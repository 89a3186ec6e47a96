"""Does a record that no topic would take stop everything behind it?"""

from __future__ import annotations

import gc
import uuid
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, Producer

from connectors.codec import Rejected, RejectReason
from connectors.kafka import KafkaLog
from connectors.log import LogError, LogUnavailable
from connectors.publisher import OutboxPublisher, Parcel, Progress, UnknownOutcome
from connectors.transactions import KafkaTransactions
from flows.dead_letter import DeadLetter, dead_letters_of
from state.ledger import Entry
from tests.servers.kafka import KafkaServer


@pytest.mark.parametrize("key", [b"u1", b"k" * 1_000_000, None])
def test_a_dead_letter_fits_its_topic_whatever_came_in(kafka: KafkaServer, key: bytes | None) -> None:
    """The broker took the record as it was; ours adds headers, and librdkafka has a limit of its own."""
    value = b"v" * 1_048_000
    letter = dead_letter(key, value)
    topic = f"dead{uuid.uuid4().hex[:8]}"
    kafka.create_topics({topic: 1})
    failed: list[KafkaError | None] = []
    headers: Any = letter.headers
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True})
    producer.produce(
        topic, letter.value, letter.key, headers=headers, on_delivery=lambda e, _: failed.append(e)
    )
    assert producer.flush(30) == 0
    assert failed == [None]
    assert value.startswith(letter.value)
    assert dict(letter.headers)["beckon.cut"] == f"key {len(key or b'')}, value {len(value)}".encode()


def test_a_dead_letter_of_an_ordinary_size_is_untouched() -> None:
    value = b"v" * 900_000
    letter = dead_letter(b"u1", value)
    assert (letter.key, letter.value) == (b"u1", value)
    assert "beckon.cut" not in dict(letter.headers)


def test_what_no_waiting_mends_ends_with_words(kafka: KafkaServer) -> None:
    transactions = KafkaTransactions(
        cast("KafkaLog", SimpleNamespace(group_id="review")),  # asked for nothing else
        {"triggers": "nowhere", "journal": "nowhere"},
        bootstrap_servers=kafka.bootstrap_servers,
        transactional_id=uuid.uuid4().hex,
        guarantee="exactly_once",
        transaction_timeout_ms=10_000,
        scan_records=1000,
        options={},
    )
    publisher = OutboxPublisher(transactions)
    entry = Entry("a", 1, "i", "triggers", 0, b"u1", b"v" * 2_000_000)
    publisher.begin([Parcel(0, [entry], Progress(), "", "a:1", journal=False)])
    with pytest.raises(LogError, match="MSG_SIZE_TOO_LARGE"):
        publisher.outcome(wait=True)


def dead_letter(key: bytes | None, value: bytes) -> DeadLetter:
    encode = dead_letters_of({"clickstream": "clickstream"}, as_line=False)
    return encode(("clickstream", 0), 7, key, value, Rejected(RejectReason.TOO_LARGE, "x" * 200))


def test_a_round_that_the_broker_does_not_live_to_end_leaves_no_client_behind(
    own_kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flow hardly ever collects, and each client has threads and buffers of its own."""
    monkeypatch.setattr("connectors.transactions._COMMIT_SECONDS", 2.0)
    own_kafka.create_topics({"triggers": 1})
    group = Consumer({"bootstrap.servers": own_kafka.bootstrap_servers, "group.id": "left"})
    source = SimpleNamespace(group_id="left", group_metadata=group.consumer_group_metadata())
    group.close()
    transactions = KafkaTransactions(
        cast("KafkaLog", source),
        {"triggers": "triggers", "letters": "triggers", "journal": "nowhere"},
        bootstrap_servers=own_kafka.bootstrap_servers,
        transactional_id="left",
        guarantee="exactly_once",
        transaction_timeout_ms=2000,
        scan_records=1000,
        options={"log_level": 0},
    )
    publisher = OutboxPublisher(transactions)
    entry = Entry("a", 1, "i", "triggers", 0, b"u1", b"v")
    own_kafka.kill()
    gc.collect()
    publisher.begin([Parcel(0, [entry], Progress(), "", "a:1", journal=False)])
    with pytest.raises(LogUnavailable) as told:
        publisher.outcome(wait=True)
    del told
    gc.collect()  # what it would not find stays for ever
    assert [each for each in gc.get_objects() if isinstance(each, UnknownOutcome)] == []
