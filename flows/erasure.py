"""How is a user forgotten? By an event on the customers topic, so that it takes its place in the order of things."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import msgspec
from confluent_kafka import KafkaError, Producer

from config.settings import Settings
from connectors.files import FileTopic
from connectors.log import LogError
from connectors.murmur2 import partition
from flows.assemble import wall_ms
from flows.privacy import name_of

_DELIVERY_SECONDS = 15.0


def request(settings: Settings, user_id: str) -> str:
    """Write `erase_requested`, and answer with its event id; the running service, or the next one, does the rest."""
    event_id, user_id = str(uuid.uuid4()), name_of(settings, user_id)
    event = {"event_id": event_id, "type": "erase_requested", "ts": wall_ms(), "user_id": user_id}
    value = msgspec.json.encode(event)
    name = settings.kafka.topics.customers
    if settings.source.kind == "kafka":
        options = {"bootstrap.servers": settings.kafka.bootstrap_servers, **settings.kafka.options}
        producer = Producer({**options, "partitioner": "murmur2_random", "enable.idempotence": True})
        refused: list[str] = []
        producer.produce(name, value, user_id, on_delivery=lambda error, _: refused.append(_why(error)))
        left = producer.flush(_DELIVERY_SECONDS)
        if left or any(refused):
            why = "".join(refused) or f"no answer within {_DELIVERY_SECONDS:.0f} s"
            raise LogError(f"no Kafka broker took the request ({why}): nothing was erased, try again")
        return event_id
    topic = FileTopic(Path(settings.files.directory), name, settings.files.partitions)
    path = topic.path(partition(user_id.encode(), settings.files.partitions))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not FileWriter: the file may have its one writer (a shop) already. One short append is atomic beside it.
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(file, value + b"\n")
    finally:
        os.close(file)
    return event_id


def _why(error: KafkaError | None) -> str:
    return "" if error is None else f"{error.name()}: {error.str()}"
