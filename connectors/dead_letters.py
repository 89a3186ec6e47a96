"""Which dead letters lie in the topic, and how does one go back where it came from, once?

What went back is noted in the dead-letter topic itself, in the transaction that sent it: a record with the header
`beckon.redriven` and the offsets of the letters of its partition. So it is known for as long as the letters are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from msgspec import Struct

from connectors.consumer import LIBRDKAFKA
from connectors.log import LogError

CUT: Final = "beckon.cut"
REDRIVEN: Final = "beckon.redriven"
WITHHELD: Final = "beckon.withheld"
_FROM: Final = "beckon.redriven.from"
_ANSWER_SECONDS: Final = 15.0
_TRANSACTION_SECONDS: Final = 30.0
_BATCH: Final = 1000

Place = tuple[int, int]
"""Where a letter lies in the dead-letter topic: (partition, offset)."""

Progress = Callable[[int, int], None]
"""(done, all there is), now and then, of something that takes long."""


class DeadRecord(Struct, frozen=True):
    """A dead letter as it lies there. `topic`, `partition`, `offset`: of the record as it came in.

    `at`: epoch ms, when it was found bad, where the log knows that. `whole`: all its bytes were kept. `withheld`: the
    seal of its key and bytes, which are not in the letter but only where it came in (connectors/originals.py).
    """

    place: Place
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    key: bytes | None
    value: bytes
    at: int | None = None
    whole: bool = True
    withheld: str | None = None


class DeadLetters(Protocol):
    """The dead letters of an installation. `begin` first, where any are to be sent."""

    def begin(self) -> None:
        """Be the only one who sends any, from now on; raise LogError where that cannot be."""

    def redriven(self, progress: Progress) -> set[Place]:
        """All that went back already."""

    def read(self, progress: Progress) -> Iterator[DeadRecord]:
        """All that lie there now, a partition's oldest first."""

    def redrive(self, records: Sequence[DeadRecord]) -> None:
        """Send all of them where they came from, and note that, or raise LogError: then none went, as far as said."""

    def close(self) -> None: ...


class KafkaDeadLetters:
    """`scan_records`: of each partition so many of the newest are looked at."""

    def __init__(
        self, topic: str, *, bootstrap_servers: str, app: str, scan_records: int, options: Mapping[str, Any]
    ) -> None:
        self._topic = topic
        self._app = app
        self._scan = scan_records
        self._config: dict[str, Any] = {"bootstrap.servers": bootstrap_servers, **options}
        self._producer: Producer | None = None

    def begin(self) -> None:
        producer = Producer(
            {
                **self._config,
                # One for all: who begins ends what another one has open, and that one can send no more.
                "transactional.id": f"{self._app}.redrive",
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
            },
            logger=LIBRDKAFKA,
        )
        try:
            producer.init_transactions(_TRANSACTION_SECONDS)
        except KafkaException as error:
            raise LogError(f"Kafka: {error.args[0].str()}: nothing was sent") from error
        self._producer = producer

    def redriven(self, progress: Progress) -> set[Place]:
        found: set[Place] = set()
        for message in self._messages(progress):
            if _is_note(message):
                part = message.partition() or 0
                offsets = msgspec.json.decode(message.value() or b"", type=_Note).redriven
                found.update((part, offset) for offset in offsets)
        return found

    def read(self, progress: Progress) -> Iterator[DeadRecord]:
        return (_record_of(message) for message in self._messages(progress) if not _is_note(message))

    def redrive(self, records: Sequence[DeadRecord]) -> None:
        assert self._producer is not None, "begin first"
        notes: dict[int, list[int]] = {}
        for record in records:
            notes.setdefault(record.place[0], []).append(record.place[1])
        try:
            self._producer.begin_transaction()
            for record in records:
                self._send(record)
            for part, offsets in notes.items():
                note = msgspec.json.encode(_Note(offsets))
                self._producer.produce(self._topic, note, partition=part, headers=[(REDRIVEN, b"1")])
            self._producer.commit_transaction(_TRANSACTION_SECONDS)
        except KafkaException as error:
            raise LogError(
                f"Kafka: {error.args[0].str()}: whether the last {len(records)} letters went back is not known here; "
                "the same command again looks, and sends what did not"
            ) from error

    def close(self) -> None:
        if self._producer is not None:
            self._producer.flush(_ANSWER_SECONDS)

    def _send(self, record: DeadRecord) -> None:
        assert self._producer is not None
        # Without a key there is nothing to tell the partition by but where it was.
        part = -1 if record.key is not None else record.partition
        came = f"{self._topic}/{record.place[0]}/{record.place[1]}".encode()
        while True:
            try:
                self._producer.produce(
                    record.topic, record.value, record.key, partition=part, headers=[(_FROM, came)]
                )
                return
            except BufferError:
                self._producer.poll(0.1)

    def _messages(self, progress: Progress) -> Iterator[Message]:
        """Up to the present end; what a transaction that is still open will hold is waited for."""
        consumer = Consumer(
            {
                **self._config,
                "group.id": f"{self._app}.dead-letters",  # required by the client; nothing is committed under it
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",  # what is deleted meanwhile is not looked at
            },
            logger=LIBRDKAFKA,
        )
        try:
            starts, ends = self._extents(consumer)
            at = dict(starts)
            consumer.assign([TopicPartition(self._topic, part, start) for part, start in starts.items()])
            total, silent_since = sum(ends.values()) - sum(starts.values()), time.monotonic()
            progress(0, total)
            while any(at[part] < end for part, end in ends.items()):
                for message in consumer.consume(_BATCH, 0.1):
                    silent_since = time.monotonic()
                    part, offset = message.partition() or 0, message.offset() or 0
                    if (error := message.error()) is not None:
                        _check(error, self._topic, part)
                        if error.code() == KafkaError._PARTITION_EOF:
                            at[part] = max(at[part], offset)
                    elif offset < ends[part]:
                        at[part] = offset + 1
                        yield message
                    else:
                        at[part] = ends[part]
                progress(sum(min(reached, ends[part]) - starts[part] for part, reached in at.items()), total)
                if time.monotonic() - silent_since > _ANSWER_SECONDS:
                    raise LogError(
                        f"topic {self._topic}: a transaction in it does not end, or nobody answers"
                    )
        except KafkaException as error:
            raise LogError(f"Kafka: {error.args[0].str()}") from error
        finally:
            consumer.close()

    def _extents(self, consumer: Consumer) -> tuple[dict[int, int], dict[int, int]]:
        known = consumer.list_topics(self._topic, timeout=_ANSWER_SECONDS).topics[self._topic]
        if known.error is not None:
            raise LogError(f"topic {self._topic} does not exist: run `beckon topics create`")
        starts, ends = {}, {}
        for part in known.partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(self._topic, part), _ANSWER_SECONDS)
            starts[part], ends[part] = max(low, high - self._scan), high
        return starts, ends


class _Note(Struct):
    redriven: list[int]


def _check(error: KafkaError, topic: str, part: int) -> None:
    if error.code() != KafkaError._PARTITION_EOF and not error.retriable():
        raise LogError(f"topic {topic}, partition {part}: {error.str()}")


def _headers(message: Message) -> dict[str, str]:
    found: Any = message.headers() or ()  # pairs, whatever the client's types also allow
    return {name: (value or b"").decode(errors="replace") for name, value in found}


def _is_note(message: Message) -> bool:
    return REDRIVEN in _headers(message)


def _record_of(message: Message) -> DeadRecord:
    """By Kafka Connect's names, so that letters of its connectors are understood too."""
    said = _headers(message)
    place = (message.partition() or 0, message.offset() or 0)
    kind, written = message.timestamp()
    return DeadRecord(
        place,
        said.get("__connect.errors.topic", ""),
        _number(said.get("__connect.errors.partition")),
        _number(said.get("__connect.errors.offset")),
        said.get("beckon.reason", "unknown"),
        said.get("__connect.errors.exception.message", ""),
        message.key(),
        message.value() or b"",
        written if kind else None,
        CUT not in said,
        said.get(WITHHELD),
    )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0
