"""How does one transaction on Kafka carry the outboxes, the offsets and the cursor of all shards of a process?

The cursor and the watermark are the metadata of each letters partition's offset. With `at_least_once` there is no
transaction: the same offsets and cursor are committed after the delivery reports.
"""

from __future__ import annotations

import contextlib
import time
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
from connectors.under_way import UnderWay
from state.ledger import Entry

JOURNAL = "journal"
_COMMIT_SECONDS = 30.0
_OVERRUN_SECONDS = 2.0
_PATIENCE_SECONDS = 3.0  # it takes some 20 ms; double after each left behind (decision 0040)
_RECORDS_A_SECOND = 10_000  # that a slow broker takes of a large one (judgement)
_NOTED_IDS = 500  # by one record of the journal, of which brokers take 1 MB: ids hold topics and people
_PLACE_SECONDS = 0.5  # a scan after a rollback reads so much more
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
            "retry.backoff.ms": 1,  # a transaction on the heels of another is refused at first: 100 ms by default
            # A client left behind waits for something to change at any of its connections, with a thread that turns
            # and turns; this ends it (decision 0040). A shop that is silent for so long connects anew.
            "connections.max.idle.ms": 30000,
            **options,
        }
        self._journal = Journal(topics[JOURNAL], bootstrap_servers, source.group_id, scan_records, options)
        self._aside = Aside()
        self._under_way = UnderWay()
        self._asked_at: dict[int, float] = {}
        self._stale = False
        self._patience_seconds = _PATIENCE_SECONDS
        self._producer = self._new_producer(transactional_id)

    # Transactions

    def committed(self, shards: Collection[int], predecessors: Collection[str]) -> dict[int, Committed]:
        with contextlib.suppress(LogUnavailable):
            return self._source.committed(shards, _STABLE_SECONDS)
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

    def begin(self, parcels: Sequence[Parcel]) -> None:
        if self._stale:
            self.renew()
        self._under_way = under_way = UnderWay()
        try:
            if self._transactional:
                self._begin_transaction(parcels, under_way)
            else:
                self._at_least_once(parcels, under_way)
        except KafkaException as error:
            under_way.error = error.args[0]

    def outcome(self, *, wait: bool) -> dict[int, int] | None:
        under_way = self._under_way
        if under_way.error is None and not (wait or under_way.is_over):
            return None
        try:
            if under_way.error is not None:
                raise KafkaException(under_way.error)
            under_way.end()
        except TimeoutError:
            self._aside.close()  # its thread ends, and lets the producer go, once the call returns
            self._aside = Aside()
            self._patience_seconds *= 2
            cause = KafkaError(KafkaError._TIMED_OUT, "the client does not return")
        except KafkaException as error:
            cause = error.args[0]
        else:
            self._patience_seconds = _PATIENCE_SECONDS
            return under_way.noted
        raise self._failure(cause)  # out of the handlers: to abort calls the client (connectors/answers.py)

    def close(self) -> None:
        self._producer.flush(_COMMIT_SECONDS)
        self._aside.close()

    # one round

    def _begin_transaction(self, parcels: Sequence[Parcel], under_way: UnderWay) -> None:
        """Ended aside, as that takes the broker longer than all the rest of a round."""
        self._producer.begin_transaction()
        for parcel in parcels:
            for entry in parcel.entries:
                self._put_entry(entry)
            self._put_note(parcel, under_way if self._wants_place(parcel) else None)
        # Whenever we do not wait any longer the answer is to be found by asking, after a new epoch.
        seconds = self._timeout_ms / 1000
        end = partial(self._end, self._producer, self._offsets(parcels), self._source.group_metadata, seconds)
        longest = 2 * seconds + _OVERRUN_SECONDS  # longer than its time-out no transaction lives
        large_seconds = sum(len(parcel.entries) for parcel in parcels) / _RECORDS_A_SECOND
        under_way.until = time.monotonic() + min(self._patience_seconds + large_seconds, longest)
        under_way.ended = self._aside.begin(end)

    @staticmethod
    def _end(producer: Producer, offsets: list[TopicPartition], group: Any, seconds: float) -> None:
        producer.send_offsets_to_transaction(offsets, group, seconds)
        producer.commit_transaction(seconds)

    def _at_least_once(self, parcels: Sequence[Parcel], under_way: UnderWay) -> None:
        for parcel in parcels:
            for entry in parcel.entries:
                self._put_entry(entry, under_way.delivered)
        self._flush(under_way)
        for parcel in parcels:  # noted when delivered, never before: what the journal knows is not sent again
            self._put_note(parcel, under_way)
        self._flush(under_way)
        self._source.commit(self._offsets(parcels))

    def _wants_place(self, parcel: Parcel) -> bool:
        """Where its journal record lies: now and then, as each such word takes the interpreter from the flow."""
        now = time.monotonic()
        wants = parcel.journal and now - self._asked_at.get(parcel.shard, 0.0) >= _PLACE_SECONDS
        if wants:
            self._asked_at[parcel.shard] = now
        return wants

    def _flush(self, under_way: UnderWay) -> None:
        left = self._producer.flush(_COMMIT_SECONDS)
        if under_way.error is not None:
            raise KafkaException(under_way.error)
        if left:
            raise KafkaException(KafkaError(KafkaError._MSG_TIMED_OUT, f"{left} records were not delivered"))

    def _put_entry(self, entry: Entry, delivered: Any = None) -> None:
        self._put(self._topic(entry), entry.value, entry.key, entry.partition, entry.headers, delivered)

    def _put_note(self, parcel: Parcel, under_way: UnderWay | None) -> None:
        if parcel.journal:
            ids = [journal_id(e.topic, e.partition, e.id) for e in parcel.entries]
            done = None if under_way is None else under_way.note
            for at in range(0, max(1, len(ids)), _NOTED_IDS):
                note = msgspec.msgpack.encode(ids[at : at + _NOTED_IDS])
                self._put(self._topics[JOURNAL], note, None, parcel.shard, [], done)

    def _put(
        self, topic: str, value: bytes, key: bytes | None, part: int | None, headers: Any, done: Any
    ) -> None:
        more = {} if done is None else {"on_delivery": done}
        while True:
            try:
                self._producer.produce(
                    topic, value, key, partition=-1 if part is None else part, headers=headers, **more
                )
                return
            except BufferError:
                self._producer.poll(0.05)  # the local queue is full: let it drain

    def _topic(self, entry: Entry) -> str:
        role, _, rule = entry.topic.partition(".")
        return f"{self._topics[role]}.{rule}" if rule else self._topics[role]

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

    def _failure(self, cause: KafkaError) -> LogError | Fenced | UnknownOutcome:
        """What it means that a round failed; where the shards are somebody else's, the transaction is aborted."""
        if cause.code() in _HOPELESS:
            return LogError(
                f"Kafka does not take what is to be published, and waiting will not mend it: {cause.name()}: "
                f"{cause.str()}. Nothing is lost: the next start publishes it"
            )
        if cause.code() in _STALE_GENERATION:
            metrics.PUBLISH_TRANSACTIONS.labels(result="abort").inc()
            self._abort()
            return Fenced(cause.name())
        return UnknownOutcome(cause.name())

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
