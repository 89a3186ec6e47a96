"""How does the log get into Kafka, and what has an engine told?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from benchmarks.peers.oracle import Told
from benchmarks.workload import PARTITIONS

EVENTS = "events"
"""One topic with clicks and orders, for the other engines: it spares them the merging of two, which beckon does."""


def fill(bootstrap_servers: str, records: Iterable[tuple[str, bytes, bytes, int]]) -> int:
    """Write each record twice, to the topic of its role and to EVENTS, with the event's own time; how many."""
    producer = Producer(
        {"bootstrap.servers": bootstrap_servers, "partitioner": "murmur2_random", "linger.ms": 20,
         "queue.buffering.max.messages": 1_000_000, "log_level": 3,
         "enable.idempotence": True}  # without, batches change places now and then, and a user's events with them
    )  # fmt: skip
    count = 0
    for role, key, value, ts in records:
        for topic in (role, EVENTS):
            producer.produce(topic, value, key, timestamp=ts)
        count += 1
        if count % 10_000 == 0:
            producer.poll(0.05)
    producer.flush()
    return count


def read(bootstrap_servers: str, topic: str) -> Iterator[bytes]:
    """All values of what is committed now, partition by partition."""
    reader = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": "peers-reader", "enable.auto.commit": False,
         "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "earliest"}
    )  # fmt: skip
    left = set(range(PARTITIONS))
    reader.assign([TopicPartition(topic, part, 0) for part in left])
    try:
        while left:
            for message in reader.consume(10_000, 0.2):
                error, value = message.error(), message.value()
                if error is None:
                    yield value or b""
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition() or 0)
                else:
                    raise RuntimeError(f"cannot read {topic}: {error.str()}")
    finally:
        reader.close()


def told_in(values: Iterable[bytes]) -> Counter[Told]:
    """How often each trigger was told; a trigger of beckon has the same fields under `data`."""
    found: Counter[Told] = Counter()
    for value in values:
        said = msgspec.json.decode(value)
        said = said.get("data", said)
        found[said["rule"], said["user_id"], said["anchor"]] += 1
    return found
