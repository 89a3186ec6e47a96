"""How does a trigger get out exactly once? One Kafka transaction for the outboxes of all shards of the process.

The transaction also commits the shards' offsets, and the metadata of each letters partition's offset is the
cursor: the label of the last entry published. So after any crash the cursor says exactly what is out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from msgspec import Struct

from connectors import metrics
from connectors.kafka import LETTERS, LIBRDKAFKA, KafkaLog
from connectors.log import LogError
from state.ledger import Entry, Opened

_COMMIT_SECONDS = 30.0
_RETRY_SECONDS = 0.2
log = structlog.get_logger("publisher")


class Parcel(Struct):
    """What one shard sends: entries in outbox order, the marks they follow from, the cursor before and after."""

    shard: int
    entries: list[Entry]
    marks: Mapping[str, int]
    cursor_before: str
    cursor: str


def cursor_of(entry: Entry) -> str:
    """The label of an entry, as the cursor carries it."""
    return f"{entry.token}:{entry.seq}"


class Resumed(Struct):
    """Which entries of a just opened shard's outbox are not out yet, and the cursor that says so."""

    left: list[Entry]
    cursor: str


class Publisher(Protocol):
    """`trouble`: why nothing goes out at the moment, in words; None when all is well."""

    trouble: str | None

    def resume(self, shard: int, opened: Opened) -> Resumed: ...

    def publish(self, parcels: Sequence[Parcel]) -> None:
        """Returns when all of it is out; raises Fenced if these shards are no longer ours."""

    def close(self) -> None: ...


class Fenced(Exception):
    """The group has given our shards to somebody else; nothing of this round is out."""


class KafkaPublisher:
    """`topics`: topic name by role; a role `triggers.<rule>` is `<name of triggers>.<rule>`."""

    def __init__(
        self,
        source: KafkaLog,
        topics: Mapping[str, str],
        *,
        bootstrap_servers: str,
        transactional_id: str,
        guarantee: Literal["exactly_once", "at_least_once"],
        transaction_timeout_ms: int,
        should_stop: Callable[[], bool],
        options: Mapping[str, Any],
    ) -> None:
        self._source = source
        self._topics = dict(topics)
        self._transactional = guarantee == "exactly_once"
        self._config: dict[str, Any] = {
            "bootstrap.servers": bootstrap_servers,
            "client.id": transactional_id,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 0,
            "compression.type": "lz4",
            "retry.backoff.ms": 5,  # the default of 100 ms shows in every transaction with offsets
            **options,
        }
        if self._transactional:
            self._config["transactional.id"] = transactional_id
            self._config["transaction.timeout.ms"] = transaction_timeout_ms
        self._should_stop = should_stop
        self.trouble: str | None = None
        self._failed: list[str] = []
        self._producer = self._new_producer()

    def resume(self, shard: int, opened: Opened) -> Resumed:
        cursor, outbox = self._source.cursors([shard])[shard], opened.outbox
        if cursor is not None and not opened.marks:
            raise UnknownCursor(shard, f"{cursor or 'some offsets'}, but its ledger is empty")
        if not cursor and opened.trimmed_to:
            raise UnknownCursor(shard, "an unknown point: the group's offsets are gone")
        if not cursor or cursor == opened.trimmed_to:
            return Resumed(outbox, cursor or "")
        for at, entry in enumerate(outbox):
            if cursor == cursor_of(entry):
                return Resumed(outbox[at + 1 :], cursor)
        raise UnknownCursor(shard, f"{cursor}, which its ledger does not know")

    def publish(self, parcels: Sequence[Parcel]) -> None:
        while True:
            try:
                if self._transactional:
                    self._transaction(parcels)
                else:
                    self._at_least_once(parcels)
            except KafkaException as error:
                if self._settle(error, parcels):
                    return
            else:
                metrics.PUBLISH_TRANSACTIONS.labels(result="ok").inc()
                return

    def close(self) -> None:
        self._producer.flush(_COMMIT_SECONDS)

    def _new_producer(self) -> Producer:
        producer = Producer(self._config, logger=LIBRDKAFKA)
        if self._transactional:
            producer.init_transactions(_COMMIT_SECONDS)
        return producer

    def _transaction(self, parcels: Sequence[Parcel]) -> None:
        producer = self._producer
        producer.begin_transaction()
        for parcel in parcels:
            self._produce(parcel)
        producer.send_offsets_to_transaction(
            self._offsets(parcels), self._source.group_metadata, _COMMIT_SECONDS
        )
        producer.commit_transaction(_COMMIT_SECONDS)

    def _at_least_once(self, parcels: Sequence[Parcel]) -> None:
        self._failed.clear()
        for parcel in parcels:
            self._produce(parcel, self._delivered)
        left = self._producer.flush(_COMMIT_SECONDS)
        if left or self._failed:
            raise KafkaException(
                KafkaError(KafkaError._MSG_TIMED_OUT, "records were not delivered", retriable=True)
            )
        self._source.commit(self._offsets(parcels))

    def _delivered(self, error: KafkaError | None, _: object) -> None:
        if error is not None:
            self._failed.append(error.name())

    def _produce(self, parcel: Parcel, on_delivery: Any = None) -> None:
        for entry in parcel.entries:
            headers: Any = entry.headers
            role, _, rule = entry.topic.partition(".")
            topic = f"{self._topics[role]}.{rule}" if rule else self._topics[role]
            while True:
                try:
                    self._producer.produce(
                        topic,
                        entry.value,
                        entry.key,
                        partition=-1 if entry.partition is None else entry.partition,
                        headers=headers,
                        on_delivery=on_delivery,
                    )
                    break
                except BufferError:
                    self._producer.poll(0.05)  # the local queue is full: let it drain

    def _offsets(self, parcels: Sequence[Parcel]) -> list[TopicPartition]:
        offsets = []
        for parcel in parcels:
            marks = {mark.rpartition("/")[0]: offset + 1 for mark, offset in parcel.marks.items()}
            letters = marks.pop(LETTERS, 0)
            offsets.append(TopicPartition(self._topics[LETTERS], parcel.shard, letters, parcel.cursor))
            offsets += [TopicPartition(self._topics[role], parcel.shard, at) for role, at in marks.items()]
        return offsets

    def _settle(self, error: KafkaException, parcels: Sequence[Parcel]) -> bool:
        """After a failed round: True if it is out after all, False if it must be published again."""
        cause: KafkaError = error.args[0]
        if cause.code() in _FENCED:
            self._abort()
            metrics.PUBLISH_TRANSACTIONS.labels(result="abort").inc()
            raise Fenced(cause.name()) from error
        if cause.code() in _HOPELESS:
            raise LogError(
                f"Kafka does not take what is to be published, and waiting will not mend it: {cause.name()}: "
                f"{cause.str()}. Nothing is lost: the next start publishes it"
            ) from error
        metrics.PUBLISH_TRANSACTIONS.labels(result="unknown").inc()
        log.warning("publishing did not succeed, asking what is out", error=cause.name())
        self.trouble = f"publishing: {cause.name()}"
        while not self._should_stop():
            try:
                # An outcome that is not known may still come true: only a new epoch of the producer ends it.
                self._producer = self._new_producer()
                found = self._source.cursors([parcel.shard for parcel in parcels])
            except KafkaException as again:
                log.warning("no answer from the broker, waiting", error=again.args[0].name())
                time.sleep(_RETRY_SECONDS)
            else:
                self.trouble = None
                return self._is_out(parcels, found)
        raise Fenced("stopping before it is known what is out: the next start asks")

    @staticmethod
    def _is_out(parcels: Sequence[Parcel], found: Mapping[int, str | None]) -> bool:
        """A transaction is out whole or not at all; a cursor that is neither is somebody else's."""
        if all(found[parcel.shard] == parcel.cursor for parcel in parcels):
            return True
        if all((found[parcel.shard] or "") == parcel.cursor_before for parcel in parcels):
            return False
        raise Fenced("somebody else has published for these shards")

    def _abort(self) -> None:
        if self._transactional:
            try:
                self._producer.abort_transaction(_COMMIT_SECONDS)
            except KafkaException as error:
                log.warning(
                    "abort failed, a new producer will end the transaction", error=error.args[0].name()
                )
                self._producer = self._new_producer()


class UnknownCursor(Exception):
    """What Kafka says is out and what the ledger holds do not fit: one of them lost a tail of its history."""

    def __init__(self, shard: int, found: str) -> None:
        super().__init__(
            f"shard {shard}: the consumer group has published up to {found}. One of Redis and Kafka has lost what it "
            "acknowledged, and going on would repeat triggers: restore Redis from a newer copy, or the group's "
            "offsets; or begin anew under another `app` and `kafka.group_id`"
        )


_FENCED = frozenset(
    (
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError._FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
    )
)
_HOPELESS = frozenset(
    (
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    )
)
