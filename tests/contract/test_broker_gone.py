"""Does a transaction that was under way when its broker died hold the next one up, or stay behind for ever?"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from connectors.kafka import KafkaLog
from connectors.publisher import OutboxPublisher, Parcel, Progress
from connectors.transactions import KafkaTransactions
from state.ledger import Entry
from tests.contract.member import joined
from tests.servers.kafka import KafkaServer

ROLES = ("triggers", "letters", "journal")
_IDLE_SECONDS = 2  # so long what is left behind stays; 30 by default
_READY_SECONDS = 30.0
_WITHIN_SECONDS = 5.0  # of the broker's answering, as it serves groups a little later; it was 12 to 16


@pytest.fixture
def log(own_kafka: KafkaServer) -> Iterator[KafkaLog]:
    own_kafka.create_topics(dict.fromkeys(ROLES, 1))
    with joined(own_kafka, "g", "letters") as log:
        yield log


def test_a_broker_that_dies_in_a_transaction_is_back_at_once(own_kafka: KafkaServer, log: KafkaLog) -> None:
    """Its answer about the coordinator is of no use any more, and librdkafka goes by it (librdkafka#5511)."""
    others = asides()
    transactions = KafkaTransactions(
        log,
        {role: role for role in ROLES},
        bootstrap_servers=own_kafka.bootstrap_servers,
        transactional_id="t",
        guarantee="exactly_once",
        transaction_timeout_ms=10_000,
        scan_records=1000,
        options={"log_level": 0, "connections.max.idle.ms": 1000 * _IDLE_SECONDS},
    )
    publisher = OutboxPublisher(transactions)
    for number in range(3):
        publisher.begin([parcel(number)])
        publisher.outcome(wait=True)
    own_kafka.kill()
    publisher.begin([parcel(3)])
    ready: list[float] = []

    def restart() -> None:
        own_kafka.restart()
        ready.append(time.monotonic())

    restarting = threading.Thread(target=restart)
    restarting.start()
    publisher.outcome(wait=True)
    over = time.monotonic()
    restarting.join()
    assert over - ready[0] < _WITHIN_SECONDS
    assert read(own_kafka, 4) == [b"0", b"1", b"2", b"3"]

    until = time.monotonic() + 10 * _IDLE_SECONDS
    while len(asides() - others) > 1 and time.monotonic() < until:
        time.sleep(0.1)
    assert len(asides() - others) == 1, "what was left behind stays"
    publisher.close()


def asides() -> set[int | None]:
    """The threads that wait for transactions."""
    return {each.ident for each in threading.enumerate() if each.name == "aside"}


def parcel(number: int) -> Parcel:
    entry = Entry("a", number + 1, f"i{number}", "triggers", 0, b"u1", str(number).encode())
    before = f"a:{number}" if number else ""
    return Parcel(0, [entry], Progress(), before, f"a:{number + 1}", journal=False)


def read(kafka: KafkaServer, count: int) -> list[bytes | None]:
    """What a read_committed reader has once it has so many, and some time more."""
    reader = Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": "r", "isolation.level": "read_committed"}
    )
    reader.assign([TopicPartition("triggers", 0, 0)])
    found: list[bytes | None] = []
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        for message in reader.consume(10, 1.0):
            assert message.error() is None
            found.append(message.value())
        if len(found) >= count:
            until = min(until, time.monotonic() + 2.0)
    reader.close()
    return found
