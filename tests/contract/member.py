"""How does a test join a consumer group as a process of beckon does, and get all shards?"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping

from connectors.kafka import KafkaLog
from connectors.log import Lane
from tests.servers.kafka import KafkaServer

_READY_SECONDS = 30.0


class Owner:
    """Reads every shard from its beginning."""

    def gained(self, shards: list[int]) -> Mapping[Lane, int]:
        return {}

    def lost(self, shards: list[int], *, fenced: bool) -> None: ...


@contextlib.contextmanager
def joined(kafka: KafkaServer, group_id: str, letters: str) -> Iterator[KafkaLog]:
    """With all partitions of the letters topic, and nothing else to read."""
    log = KafkaLog(
        {"letters": letters},
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=group_id,
        instance_id="",
        batch_records=100,
        options={},
    )
    try:
        log.start(Owner())
        until = time.monotonic() + _READY_SECONDS
        while not log.shards:
            assert time.monotonic() < until, "no shard was assigned"
            log.poll(0.1)
        yield log
    finally:
        log.close()
