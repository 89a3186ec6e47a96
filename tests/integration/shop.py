"""What does a shop see of beckon on Kafka? It writes events, reads triggers, and looks at the group's lag."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import OFFSET_END, Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.integration.installation import INPUTS, Installation, Record, kafka_settings
from tests.servers.kafka import KafkaServer

_ANSWER_SECONDS = 30.0
_READ_SECONDS = 60.0


class KafkaShop(Installation):
    """An installation on a real broker; its topics exist once `create_topics` has returned."""

    def __init__(
        self,
        directory: Path,
        kafka: KafkaServer,
        redis_url: str,
        settings: Mapping[str, Any],
        *,
        partitions: int,
    ) -> None:
        super().__init__(directory, settings)
        self.kafka, self.partitions = kafka, partitions
        self.change(kafka_settings(self.app, kafka, redis_url, partitions))
        self.topics: dict[str, str] = self.settings["kafka"]["topics"]

    def create_topics(self) -> None:
        self.kafka.create_topics(dict.fromkeys(self.topics.values(), self.partitions))

    def write(self, records: Iterable[Record], *, partitioner: str = "murmur2_random") -> int:
        """Returns when the broker has all of them; how many."""
        count = 0
        failed: list[str] = []
        producer = Producer(
            {
                "bootstrap.servers": self.kafka.bootstrap_servers,
                "partitioner": partitioner,
                "enable.idempotence": True,
                "linger.ms": 5,
                "queue.buffering.max.messages": 1_000_000,
            }
        )

        def note(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append(error.name())

        for role, key, value in records:
            producer.produce(self.topics[role], value, key, on_delivery=note)
            count += 1
        assert producer.flush(_ANSWER_SECONDS) == 0
        assert not failed, failed
        return count

    def read(self, role: str, *, committed: bool = True) -> list[Message]:
        """Every record of an output topic up to its present end."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.kafka.bootstrap_servers,
                "group.id": f"{self.app}.reader",
                "isolation.level": "read_committed" if committed else "read_uncommitted",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        try:
            return read_all(consumer, self.topics[role], self.partitions)
        finally:
            consumer.close()

    def delete_records(self, role: str) -> None:
        """As retention does it: of a topic nothing is left, and its offsets go on."""
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap_servers})
        places = [TopicPartition(self.topics[role], part, OFFSET_END) for part in range(self.partitions)]
        for done in admin.delete_records(places).values():
            done.result(_ANSWER_SECONDS)

    def triggers(self, *, committed: bool = True) -> list[dict[str, Any]]:
        return [
            msgspec.json.decode(message.value() or b"")
            for message in self.read("triggers", committed=committed)
        ]

    def lag(self) -> dict[str, int]:
        """As any standard tool computes it: end of each input partition minus the group's committed offset."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.kafka.bootstrap_servers,
                "group.id": self.settings["kafka"]["group_id"],
            }
        )
        try:
            asked = [
                TopicPartition(self.topics[role], part) for role in INPUTS for part in range(self.partitions)
            ]
            found: dict[str, int] = {}
            for place in consumer.committed(asked, _ANSWER_SECONDS):
                _, end = consumer.get_watermark_offsets(place, _ANSWER_SECONDS)
                if end:  # an empty partition needs no offset
                    found[f"{place.topic}/{place.partition}"] = end - max(place.offset, 0)
            return found
        finally:
            consumer.close()


def read_all(consumer: Consumer, topic: str, partitions: int) -> list[Message]:
    """Up to the end that each partition has now; a transaction still open there is waited for."""
    places = [TopicPartition(topic, part, 0) for part in range(partitions)]
    ends = {place.partition: consumer.get_watermark_offsets(place, _ANSWER_SECONDS)[1] for place in places}
    unread = {part for part, end in ends.items() if end}
    consumer.assign(places)
    messages: list[Message] = []
    deadline = time.monotonic() + _READ_SECONDS
    while unread:
        assert time.monotonic() < deadline, f"{topic}: partitions {unread} cannot be read to their end"
        message = consumer.poll(0.5)
        if message is None:
            continue
        error, part, offset = message.error(), message.partition(), message.offset()
        assert part is not None
        assert offset is not None
        if error is None:
            messages.append(message)
        else:
            assert error.code() == KafkaError._PARTITION_EOF, error
            if offset >= ends[part]:
                unread.discard(part)
    return messages
