"""Does a round of very many records go out, or stop everything behind it for ever?"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pytest

from connectors.kafka import KafkaLog
from connectors.publisher import OutboxPublisher, Parcel, Progress, journal_id
from connectors.transactions import KafkaTransactions
from state.ledger import Entry
from tests.servers.kafka import KafkaServer

RECORDS = 20_000  # a million users' quiet hours end at once; their ids in one record were 1.4 MB
GUARANTEES: tuple[Literal["exactly_once", "at_least_once"], ...] = ("exactly_once", "at_least_once")


class Owner:
    def gained(self, shards: list[int]) -> Mapping[Any, int]:
        return {}

    def lost(self, shards: list[int], *, fenced: bool) -> None: ...


@pytest.fixture
def app(kafka: KafkaServer) -> str:
    app = uuid.uuid4().hex[:8]
    kafka.create_topics({f"{app}.{role}": 1 for role in ("triggers", "letters", "journal")})
    return app


@pytest.fixture
def log(kafka: KafkaServer, app: str) -> Iterator[KafkaLog]:
    log = KafkaLog(
        {"letters": f"{app}.letters"},
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=app,
        instance_id="",
        batch_records=100,
        options={},
    )
    log.start(Owner())
    for _ in range(300):
        log.poll(0.1)
        if log.shards:
            break
    yield log
    log.close()


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_round_of_many_records_goes_out_and_is_noted(
    kafka: KafkaServer, app: str, log: KafkaLog, guarantee: Literal["exactly_once", "at_least_once"]
) -> None:
    transactions = KafkaTransactions(
        log,
        {role: f"{app}.{role}" for role in ("triggers", "letters", "journal")},
        bootstrap_servers=kafka.bootstrap_servers,
        transactional_id=app,
        guarantee=guarantee,
        transaction_timeout_ms=30_000,
        scan_records=2 * RECORDS,
        options={},
    )
    publisher = OutboxPublisher(transactions)
    entries = [
        Entry("a", seq, str(uuid.UUID(int=seq)), "triggers", 0, b"u1", b"v", [], "u1")
        for seq in range(RECORDS)
    ]
    publisher.begin([Parcel(0, entries, Progress(), "", f"a:{RECORDS}", journal=True)])
    places = publisher.outcome(wait=True)
    assert places is not None
    assert places[0] == 0, "a scan begins where its first record lies"
    noted = transactions.scan({0: places[0]})[0]
    assert noted == {journal_id("triggers", 0, entry.id) for entry in entries}
    publisher.close()
