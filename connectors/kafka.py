"""How do we read Kafka as shards? One consumer group, one consumer a process, offsets from our own marks.

The consumer subscribes to the letters topic alone, which has exactly one partition a shard, and takes
partition p of every input topic with it: no assignor has to place topics side by side. Nothing here commits
offsets; the publisher does, in the transaction that publishes (reliability: "the protocol").

Trap: `consumer_group_metadata()` called while another thread is inside `poll()` hangs for ever. Everything
here belongs to one thread, the flow's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from connectors import metrics
from connectors.log import Assignment, Chunk, Lane, LogError, Poll
from connectors.murmur2 import partition

LETTERS = "letters"
USER_KEYED = ("clickstream", "orders", "customers", "engagement", LETTERS)
KEY_CHECKED = (
    "clickstream",
    "orders",
    "customers",
    "engagement",
    "inventory",
)  # a context record needs no key
_KEY_SAMPLE = 256  # one record in this many chunks of a lane has its key checked against its partition
_METADATA_SECONDS = 10.0

log = structlog.get_logger("kafka")
LIBRDKAFKA = logging.getLogger("librdkafka")  # its lines come in our format, not raw on stderr


class KafkaLog:
    """`topics`: topic name by role, in canonical order. `options` go to librdkafka as they are."""

    def __init__(
        self,
        topics: Mapping[str, str],
        *,
        bootstrap_servers: str,
        group_id: str,
        instance_id: str,
        batch_records: int,
        options: Mapping[str, Any],
    ) -> None:
        self._topics = dict(topics)
        self._roles = {name: role for role, name in topics.items()}
        self._batch = batch_records
        self._assignment: Assignment | None = None
        self._sampled: dict[Lane, int] = {}
        self.group_metadata: Any = None
        self.shards: list[int] = []
        self._assigned: list[TopicPartition] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": group_id,
                **({"group.instance.id": instance_id} if instance_id else {}),
                "client.id": instance_id or "beckon",
                "partition.assignment.strategy": "range",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",  # a mark outside the log is an operator's decision, not ours
                "session.timeout.ms": 6000,
                "heartbeat.interval.ms": 1500,
                "fetch.queue.backoff.ms": 10,  # the default of 1 s would stall a paused lane that goes on
                "queued.max.messages.kbytes": 32768,
                "allow.auto.create.topics": False,
                **options,
            },
            logger=LIBRDKAFKA,
        )
        self.partitions = self._partition_counts()

    # InputLog

    def start(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._consumer.subscribe(
            [self._topics[LETTERS]],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def poll(self, timeout_seconds: float) -> Poll:
        # consume(n, t) waits the full t unless n are there; poll returns with the first record.
        first = self._consumer.poll(timeout_seconds)
        if first is None:
            return Poll([], [])
        messages = [first, *self._consumer.consume(self._batch, 0)]
        groups: dict[Lane, list[Message]] = {}
        ended: list[Lane] = []
        topic: str | None = None
        part: int | None = None
        group: list[Message] = []
        for message in messages:
            if message.error() is not None:
                self._note(message, ended)
                part = None  # the next record looks whether its lane has been said to be at its end
                continue
            if message.partition() != part or message.topic() != topic:
                topic, part = message.topic(), message.partition()
                lane = self._lane(message)
                group = groups.setdefault(lane, [])
                if lane in ended:
                    ended.remove(lane)  # that was the end before this record came
            group.append(message)
        return Poll([self._chunk(lane, group) for lane, group in groups.items()], ended)

    def pause(self, lanes: Iterable[Lane]) -> None:
        self._consumer.pause([TopicPartition(self._topics[role], part) for role, part in lanes])

    def resume(self, lanes: Iterable[Lane]) -> None:
        self._consumer.resume([TopicPartition(self._topics[role], part) for role, part in lanes])

    def reopen(self) -> None:
        assert self._assignment is not None
        self._assignment.lost(self.shards, fenced=True)
        self.shards = []
        self._consumer.unsubscribe()
        self.start(self._assignment)

    def lanes(self, shard: int) -> list[Lane]:
        return [(role, shard) for role in self._topics if shard < self.partitions[role]]

    def lag(self) -> dict[Lane, int]:
        found = {}
        for place in self._consumer.position(self._assigned):
            low, high = self._consumer.get_watermark_offsets(place, cached=True)
            if place.offset >= 0 and high >= 0:
                found[self._roles[place.topic], place.partition] = max(0, high - place.offset)
            elif high > 0:
                found[self._roles[place.topic], place.partition] = high - max(low, 0)
        return found

    def close(self) -> None:
        self._consumer.close()

    # what the publisher needs

    def cursors(self, shards: Iterable[int]) -> dict[int, str | None]:
        """The metadata last committed with each shard's letters partition; waits while a transaction is pending."""
        asked = [TopicPartition(self._topics[LETTERS], shard) for shard in shards]
        found = self._consumer.committed(asked, timeout=_METADATA_SECONDS * 3)
        return {tp.partition: tp.metadata if tp.offset >= 0 else None for tp in found}

    def commit(self, offsets: list[TopicPartition]) -> None:
        self._consumer.commit(offsets=offsets, asynchronous=False)

    # rebalance

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        assert self._assignment is not None
        metrics.REBALANCES.inc()
        self.shards = sorted(tp.partition for tp in partitions)
        self.group_metadata = consumer.consumer_group_metadata()
        try:
            positions = self._assignment.gained(self.shards)
        except BaseException:
            consumer.assign(
                []
            )  # else librdkafka reads the letters alone, from the group's offsets or an error
            raise
        self._assigned = [
            TopicPartition(self._topics[role], part, positions.get((role, part), OFFSET_BEGINNING))
            for shard in self.shards
            for role, part in self.lanes(shard)
        ]
        consumer.assign(self._assigned)
        # librdkafka keeps a partition paused over a rebalance; nobody would know of it and wait for ever.
        consumer.resume(self._assigned)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._give_up(fenced=False)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._give_up(fenced=True)

    def _give_up(self, *, fenced: bool) -> None:
        assert self._assignment is not None
        shards, self.shards, self._assigned = self.shards, [], []
        self._assignment.lost(shards, fenced=fenced)

    # records

    def _lane(self, message: Message) -> Lane:
        return self._roles[message.topic() or ""], message.partition() or 0

    def _chunk(self, lane: Lane, messages: list[Message]) -> Chunk:
        seen = self._sampled.get(lane, 0)
        self._sampled[lane] = seen + 1
        if seen % _KEY_SAMPLE == 0:
            self._check_key(lane, messages[0])
        offsets: Any = [m.offset() for m in messages]
        return Chunk(lane, offsets, [m.value() for m in messages], lambda i: messages[i].key())

    def _check_key(self, lane: Lane, message: Message) -> None:
        key, count = message.key(), self.partitions[lane[0]]
        if lane[0] not in KEY_CHECKED:
            return
        if key is None or partition(key, count) != lane[1]:
            what = (
                "has no key"
                if key is None
                else f"has a key that belongs on partition {partition(key, count)}"
            )
            raise LogError(
                f"topic {message.topic()} is not co-partitioned: the record at partition {lane[1]}, offset "
                f"{message.offset()} {what}. Producers must key by user id with the murmur2 partitioner "
                "(librdkafka: partitioner=murmur2_random)"
            )

    def _note(self, message: Message, ended: list[Lane]) -> None:
        error = message.error()
        assert error is not None
        if error.code() == KafkaError._PARTITION_EOF:
            ended.append(self._lane(message))
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise LogError(
                f"topic {message.topic()} partition {message.partition()}: our mark is outside the log "
                f"({error.str()}). Records were deleted before they were read, or the topic was recreated"
            )
        elif error.fatal() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise LogError(f"Kafka: {error.str()}")
        else:
            log.warning("broker trouble, waiting", error=error.name())

    def _partition_counts(self) -> dict[str, int]:
        try:
            known = self._consumer.list_topics(timeout=_METADATA_SECONDS).topics
        except KafkaException as error:
            raise LogError(f"no Kafka broker answers: {error.args[0].str()}") from error
        missing = [
            name for name in self._topics.values() if name not in known or known[name].error is not None
        ]
        if missing:
            raise LogError(f"topics {', '.join(missing)} do not exist: run `beckon topics create`")
        counts = {role: len(known[name].partitions) for role, name in self._topics.items()}
        shards = counts[LETTERS]
        for role, count in counts.items():
            if (role in USER_KEYED and count != shards) or count > shards:
                raise LogError(
                    f"topic {self._topics[role]} has {count} partitions, but there are {shards} shards "
                    f"(partitions of {self._topics[LETTERS]}): user-keyed topics need exactly as many, others no more"
                )
        return counts
