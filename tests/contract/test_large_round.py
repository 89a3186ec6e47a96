"""Does a round of very many records go out, or stop everything behind it for ever?"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Literal

import pytest

from connectors.kafka import KafkaLog
from connectors.log import LogUnavailable
from connectors.publisher import OutboxPublisher, Parcel, Progress, journal_id
from connectors.transactions import KafkaTransactions
from state.ledger import Entry
from tests.contract.member import joined
from tests.servers.kafka import KafkaServer

RECORDS = 30_000  # a million users whose quiet hours end at once; their ids in one record are 1.5 MB
_ATTEMPTS = 10
GUARANTEES: tuple[Literal["exactly_once", "at_least_once"], ...] = ("exactly_once", "at_least_once")


@pytest.fixture
def app(kafka: KafkaServer) -> str:
    app = uuid.uuid4().hex[:8]
    kafka.create_topics({f"{app}.{role}": 1 for role in ("triggers", "letters", "journal")})
    return app


@pytest.fixture
def log(kafka: KafkaServer, app: str) -> Iterator[KafkaLog]:
    with joined(kafka, app, f"{app}.letters") as log:
        yield log


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
    noted = scanned(transactions, places[0])
    assert noted == {journal_id("triggers", 0, entry.id) for entry in entries}
    publisher.close()


def scanned(transactions: KafkaTransactions, begin: int) -> set[str]:
    """Asked again as the flow does: a broker with much to do may need longer than the two seconds of a question."""
    trouble: LogUnavailable | None = None
    for _ in range(_ATTEMPTS):
        try:
            return transactions.scan({0: begin})[0]
        except LogUnavailable as error:
            trouble = error
    raise AssertionError(f"the journal cannot be read: {trouble}")
