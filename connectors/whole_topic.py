"""What does a topic hold, from the first record kept to its end as of now? For a look back, beside the service."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from connectors.brokers import Brokers, Place
from connectors.log import LogError, LogUnavailable

_SILENT_SECONDS = (
    60.0  # as long as a transaction may pend, below which nothing is read (connectors/journal.py)
)


def read_whole(
    topic: str, bootstrap_servers: str, options: Mapping[str, Any], batch_records: int, *, group_id: str
) -> Iterator[list[bytes | None]]:
    """The values, in batches, those of each partition in order; nothing is committed, no group is joined.

    `group_id`: ours, a name under which is needed to read.
    """
    brokers = Brokers(bootstrap_servers, options, group_id=group_id)
    partitions = brokers.partitions().get(topic)
    if partitions is None:
        raise LogError(f"there is no topic {topic}")
    extents = brokers.extents((topic, part) for part in range(partitions))
    waiting = {place: extent.end for place, extent in extents.items() if extent.begin < extent.end}
    if not waiting:
        return
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            **options,
            "group.id": f"{group_id}.history",  # required by the client; nothing is ever committed under it
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
        }
    )
    try:
        consumer.assign([TopicPartition(*place, extents[place].begin) for place in waiting])
        silent_since = time.monotonic()
        while waiting:
            messages = consumer.consume(batch_records, 0.1)
            if messages:
                silent_since = time.monotonic()
                yield [message.value() for message in messages if _is_before_end(message, waiting)]
            elif time.monotonic() - silent_since > _SILENT_SECONDS:
                raise LogUnavailable(f"topic {topic}: no answer from the broker")
    finally:
        consumer.close()


def _is_before_end(message: Message, waiting: dict[Place, int]) -> bool:
    """Is it a record of before we began to read? Its partition is let go of as its end is reached."""
    place, error = (message.topic() or "", message.partition() or 0), message.error()
    end, offset = waiting.get(place), message.offset() or 0
    if error is not None:
        if error.code() == KafkaError._PARTITION_EOF:
            waiting.pop(place, None)
        elif not error.retriable():
            raise LogError(f"topic {place[0]}, partition {place[1]}: {error.str()}")
        return False
    if end is not None and offset + 1 >= end:
        del waiting[place]
    return end is not None and offset < end
