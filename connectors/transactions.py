"""How does one transaction on Kafka carry the outboxes, the offsets and the cursor of all shards of a process?

The cursor and the watermark are the metadata of each letters partition's offset. With `at_least_once` there is no
transaction: the same offsets and cursor are committed after the delivery reports.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import msgspec
import structlog
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from connectors import metrics
from connectors.aside import Aside
from connectors.co_partition import LETTERS
from connectors.consumer import LIBRDKAFKA
from connectors.journal import Journal
from connectors.kafka import KafkaLog
from connectors.log import LogError, LogUnavailable
from connectors.publisher import (
    Committed,
    Fenced,
    Parcel,
    UnknownOutcome,
    journal_id,
)
from state.ledger import Entry

JOURNAL = "journal"
_COMMIT_SECONDS = 30.0
_OVERRUN_SECONDS = 2.0
_STABLE_SECONDS = (
    0.7  # a transaction of a living process is over long before; what pends longer is a dead one's
)
log = structlog.get_logger("transactions")


class KafkaTransactions:
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
        scan_records: int,
        options: Mapping[str, Any],
    ) -> None:
        self.name = transactional_id
        self._source = source
        self._topics = dict(topics)
        self._transactional = guarantee == "exactly_once"
        self._timeout_ms = transaction_timeout_ms
        self._config: dict[str, Any] = {
            "bootstrap.servers": bootstrap_servers,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 0,
            "compression.type": "lz4",
            "retry.backoff.ms": 5,  # the default of 100 ms shows in every transaction with offsets
            **options,
        }
        self._journal = Journal(topics[JOURNAL], bootstrap_servers, source.group_id, scan_records, options)
        self._aside = Aside()
        self._failed: list[KafkaError] = []
        self._noted: dict[int, int] = {}
        self._stale = False
        self._producer = self._new_producer(transactional_id)

    # Transactions

    def committed(self, shards: Collection[int], predecessors: Collection[str]) -> dict[int, Committed]:
        try:
            return self._source.committed(shards, _STABLE_SECONDS)
        except LogUnavailable:
            if self._transactional:
                for name in predecessors:
                    # Its new epoch ends what the dead process left open, which else pends until its time-out.
                    log.warning("ending the transaction a former owner left open", former=name)
                    self._new_producer(name)
        return self._source.committed(shards, _COMMIT_SECONDS)

    def scan(self, starts: Mapping[int, int]) -> dict[int, set[str]]:
        return self._journal.scan(starts)

    def renew(self) -> None:
        self._producer = self._new_producer(self.name)
        self._stale = False

    def send(self, parcels: Sequence[Parcel]) -> dict[int, int]:
        if self._stale:
            self.renew()
        self._failed.clear()
        self._noted.clear()
        try:
            if self._transactional:
                self._transaction(parcels)
            else:
                self._at_least_once(parcels)
        except KafkaException as error:
            self._fail(error)
        return dict(self._noted)

    def close(self) -> None:
        self._producer.flush(_COMMIT_SECONDS)
        self._aside.close()

    # one round

    def _transaction(self, parcels: Sequence[Parcel]) -> None:
        self._producer.begin_transaction()
        for parcel in parcels:
            self._produce(parcel)
            self._produce_note(parcel)
        # Longer than its time-out no transaction lives: then the answer is to be found by asking.
        seconds = self._timeout_ms / 1000
        end = partial(self._end, self._producer, self._offsets(parcels), self._source.group_metadata, seconds)
        try:
            self._aside.call(end, 2 * seconds + _OVERRUN_SECONDS)
        except TimeoutError:
            self._aside = Aside()
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "the client does not return")) from None

    @staticmethod
    def _end(producer: Producer, offsets: list[TopicPartition], group: Any, seconds: float) -> None:
        producer.send_offsets_to_transaction(offsets, group, seconds)
        producer.commit_transaction(seconds)

    def _at_least_once(self, parcels: Sequence[Parcel]) -> None:
        for parcel in parcels:
            self._produce(parcel)
        self._flush()
        for parcel in parcels:  # noted when delivered, never before: what the journal knows is not sent again
            self._produce_note(parcel)
        self._flush()
        self._source.commit(self._offsets(parcels))

    def _flush(self) -> None:
        left = self._producer.flush(_COMMIT_SECONDS)
        if self._failed:
            raise KafkaException(self._failed[0])
        if left:
            raise KafkaException(KafkaError(KafkaError._MSG_TIMED_OUT, f"{left} records were not delivered"))

    def _produce(self, parcel: Parcel) -> None:
        for entry in parcel.entries:
            self._put(self._topic(entry), entry.value, entry.key, entry.partition, entry.headers)

    def _produce_note(self, parcel: Parcel) -> None:
        if parcel.journal:
            ids = [journal_id(e.topic, e.partition, e.id) for e in parcel.entries]
            note = msgspec.msgpack.encode(ids)
            self._put(self._topics[JOURNAL], note, None, parcel.shard, [], self._note)

    def _put(
        self, topic: str, value: bytes, key: bytes | None, part: int | None, headers: Any, done: Any = None
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    topic,
                    value,
                    key,
                    partition=-1 if part is None else part,
                    headers=headers,
                    on_delivery=done or self._delivered,
                )
                return
            except BufferError:
                self._producer.poll(0.05)  # the local queue is full: let it drain

    def _topic(self, entry: Entry) -> str:
        role, _, rule = entry.topic.partition(".")
        return f"{self._topics[role]}.{rule}" if rule else self._topics[role]

    def _delivered(self, error: KafkaError | None, _: Any) -> None:
        if error is not None:
            self._failed.append(error)

    def _note(self, error: KafkaError | None, message: Any) -> None:
        self._delivered(error, message)
        if error is None:
            self._noted[message.partition()] = message.offset()

    def _offsets(self, parcels: Sequence[Parcel]) -> list[TopicPartition]:
        offsets = []
        for parcel in parcels:
            marks = {mark.rpartition("/")[0]: at + 1 for mark, at in parcel.progress.marks.items()}
            letters = marks.pop(LETTERS, 0)
            cursor = f"{parcel.cursor}@{parcel.progress.watermark}"
            offsets.append(TopicPartition(self._topics[LETTERS], parcel.shard, letters, cursor))
            offsets += [TopicPartition(self._topics[role], parcel.shard, at) for role, at in marks.items()]
        return offsets

    # what may go wrong

    def _fail(self, error: KafkaException) -> None:
        """Raise what the failure of a round means."""
        cause: KafkaError = self._failed[0] if self._failed else error.args[0]
        if cause.code() in _HOPELESS:
            raise LogError(
                f"Kafka does not take what is to be published, and waiting will not mend it: {cause.name()}: "
                f"{cause.str()}. Nothing is lost: the next start publishes it"
            ) from error
        if cause.code() in _STALE_GENERATION:
            metrics.PUBLISH_TRANSACTIONS.labels(result="abort").inc()
            self._abort()
            raise Fenced(cause.name()) from error
        raise UnknownOutcome(cause.name()) from error

    def _abort(self) -> None:
        if not self._transactional:
            return
        try:
            self._producer.abort_transaction(_COMMIT_SECONDS)
        except KafkaException as error:
            log.warning("abort failed, a new epoch ends the transaction", error=error.args[0].name())
            self._stale = True

    def _new_producer(self, name: str) -> Producer:
        own = {"client.id": name}
        if self._transactional:
            own |= {"transactional.id": name, "transaction.timeout.ms": str(self._timeout_ms)}
        producer = Producer({**self._config, **own}, logger=LIBRDKAFKA)
        if self._transactional:
            try:
                producer.init_transactions(_COMMIT_SECONDS)
            except KafkaException as error:
                raise _unavailable(error) from error
        return producer


def check_transactions(bootstrap_servers: str, name: str, options: Mapping[str, Any]) -> None:
    """May we publish in transactions under names like this one? LogError or LogUnavailable if not. None is begun."""
    config = {"bootstrap.servers": bootstrap_servers, "transactional.id": name, "log_level": 0, **options}
    try:
        Producer(config).init_transactions(_COMMIT_SECONDS)
    except KafkaException as error:
        raise _unavailable(error) from error


def _unavailable(error: KafkaException) -> LogUnavailable | LogError:
    cause: KafkaError = error.args[0]
    if cause.code() in _HOPELESS:
        return LogError(f"Kafka refuses transactions: {cause.name()}: {cause.str()}")
    return LogUnavailable(f"Kafka: {cause.name()}")


_STALE_GENERATION = frozenset(
    (
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
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
