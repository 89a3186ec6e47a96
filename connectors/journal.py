"""What has a shard published since a given moment? Its partition of the journal, read to the end as of now."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from connectors.answers import answer_of
from connectors.ends import high_watermarks
from connectors.log import LogError, LogUnavailable

_ANSWER_SECONDS = 15.0
_SCAN_SECONDS = (
    60.0  # without a record: longer than any transaction may pend (its time-out and the broker's 10 s)
)
_decode = msgspec.msgpack.Decoder(list[str]).decode


class Journal:
    """`limit`: so many ids may one scan find; above, memory would not hold what the scan is for.

    `group_id`: ours; nothing is ever committed under the name made of it, but brokers ask whether we may use it.
    """

    def __init__(
        self, topic: str, bootstrap_servers: str, group_id: str, limit: int, options: Mapping[str, Any]
    ) -> None:
        self._topic = topic
        self._group = f"{group_id}.journal"
        self._limit = limit
        self._config: dict[str, Any] = {"bootstrap.servers": bootstrap_servers, "log_level": 0, **options}

    def scan(self, starts: Mapping[int, int]) -> dict[int, set[str]]:
        """By shard, from a position (-1: the beginning) to the high watermark as of now.

        Only what is committed counts, so a pending transaction is waited for: the reader comes to the high
        watermark when the last stable offset has.
        """
        try:
            ends = self._ends([*starts])
            return self._read({shard: at for shard, at in starts.items() if ends[shard]}, ends, [*starts])
        except KafkaException as error:
            raise LogUnavailable(f"the journal: {error.args[0].name()}") from error
        except TimeoutError as error:
            raise LogUnavailable("the journal: no answer from the broker") from error

    def _ends(self, shards: list[int]) -> dict[int, int]:
        """High watermarks, whatever is pending below them: a read_committed reader is told less."""
        admin = AdminClient(self._config)  # it must outlive its answers
        found = high_watermarks(admin, [(self._topic, shard) for shard in shards])
        return {shard: answer_of(each, _ANSWER_SECONDS).offset for (_, shard), each in found.items()}

    def _read(
        self, starts: Mapping[int, int], ends: Mapping[int, int], shards: list[int]
    ) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {shard: set() for shard in shards}
        consumer = Consumer(
            {
                **self._config,
                "group.id": self._group,
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
            }
        )
        try:
            self._check_reach(consumer, starts)
            consumer.assign(
                [
                    TopicPartition(self._topic, s, at if at >= 0 else OFFSET_BEGINNING)
                    for s, at in starts.items()
                ]
            )
            open_shards, silent_since = set(starts), time.monotonic()
            while open_shards:
                for message in consumer.consume(1000, 0.05):
                    silent_since = time.monotonic()
                    if self._take(message, found, ends):
                        open_shards.discard(message.partition() or 0)
                if time.monotonic() - silent_since > _SCAN_SECONDS:
                    raise LogUnavailable("the journal: a transaction in it does not end")
        finally:
            consumer.close()
        return found

    def _take(self, message: Message, found: dict[int, set[str]], ends: Mapping[int, int]) -> bool:
        """Note one record; True when its shard's end is reached."""
        shard, error = message.partition() or 0, message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                return (message.offset() or 0) >= ends[shard]
            if error.retriable():
                return False
            raise LogError(f"the journal {self._topic}, partition {shard}: {error.str()}")
        noted = found[shard]
        try:
            noted.update(_decode(message.value() or b""))
        except msgspec.MsgspecError as bad:
            raise LogError(f"topic {self._topic} holds something that is not our journal: {bad}") from bad
        if len(noted) > self._limit:
            raise LogError(
                f"the journal of shard {shard} holds more than {self._limit} records since the ledger's last word: "
                "raise delivery.scan_records if memory allows (about 150 bytes each)"
            )
        return (message.offset() or 0) + 1 >= ends[shard]

    def _check_reach(self, consumer: Consumer, starts: Mapping[int, int]) -> None:
        for shard, at in starts.items():
            low, high = consumer.get_watermark_offsets(TopicPartition(self._topic, shard), _ANSWER_SECONDS)
            if low > max(at, 0):
                raise LogError(
                    f"the journal {self._topic}, partition {shard}, begins at {low}, but what was published since {at} "
                    "must be known: its retention is shorter than the outage was. Restore Redis from a newer copy"
                )
            if at > high:
                raise LogError(
                    f"the journal {self._topic}, partition {shard}, ends at {high} before {at}, which was read of it: "
                    "was the topic recreated? Restore it, or begin anew under another `app` and `kafka.group_id`"
                )
