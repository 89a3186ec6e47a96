"""What does a record say whose dead letter does not? It is read again where it came in, for as long as it is there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from confluent_kafka import Consumer, KafkaError, TopicPartition

from connectors.consumer import LIBRDKAFKA
from connectors.dead_letters import DeadRecord
from connectors.files import FileReader, FileTopic
from connectors.log import LogError, LogUnavailable

_ANSWER_SECONDS: Final = 15.0
_LINES: Final = 1000

Original = tuple[bytes | None, bytes]
"""Key and value."""

_GONE: Final = frozenset(
    (
        KafkaError._PARTITION_EOF,
        KafkaError._AUTO_OFFSET_RESET,
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    )
)


class Originals(Protocol):
    def of(self, record: DeadRecord) -> Original | None:
        """What lies at its place now; None where nothing does any more."""

    def close(self) -> None: ...


class KafkaOriginals:
    def __init__(self, *, bootstrap_servers: str, app: str, options: Mapping[str, Any]) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                **options,
                "group.id": f"{app}.dead-letters",  # required by the client; nothing is committed under it
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
            },
            logger=LIBRDKAFKA,
        )

    def of(self, record: DeadRecord) -> Original | None:
        place = record.topic, record.partition, record.offset
        self._consumer.assign([TopicPartition(*place)])
        deadline = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < deadline:
            message = self._consumer.poll(0.1)
            if message is None:
                continue
            error = message.error()
            if error is None:
                found = message.topic(), message.partition(), message.offset()
                return (message.key(), message.value() or b"") if found == place else None
            if error.code() in _GONE:
                return None
            if not error.retriable():
                raise LogError(f"topic {record.topic}, partition {record.partition}: {error.str()}")
        raise LogUnavailable(f"topic {record.topic}: no answer from the broker")

    def close(self) -> None:
        self._consumer.close()


class FileOriginals:
    """`max_bytes`: of a longer line only the beginning comes, as it did to the service."""

    def __init__(self, directory: Path, *, partitions: int, max_bytes: int) -> None:
        self._directory, self._partitions, self._max_bytes = directory, partitions, max_bytes
        self._readers: dict[tuple[str, int], FileReader] = {}

    def of(self, record: DeadRecord) -> Original | None:
        place = record.topic, record.partition
        reader = self._readers.get(place)
        if reader is None or reader.next_offset > record.offset:
            if reader is not None:
                reader.close()
            path = FileTopic(self._directory, record.topic, self._partitions).path(record.partition)
            reader = self._readers[place] = FileReader(path, max_bytes=self._max_bytes)
        while (ahead := record.offset - reader.next_offset) > 0:
            if not reader.read(min(ahead, _LINES)):
                return None
        lines = reader.read(1)
        return (None, lines[0]) if lines else None

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()
