"""How do we read Kafka as shards? One consumer group, one consumer a process, offsets from our own marks.

The consumer subscribes to the letters topic alone, which has exactly one partition a shard, and takes
partition p of every input topic with it: no assignor has to place topics side by side. Nothing here commits
offsets; the publisher does, in the transaction that publishes (reliability: "the protocol").

Trap: `consumer_group_metadata()` called while another thread is inside `poll()` hangs for ever. Everything
here belongs to one thread, the flow's.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from connectors import metrics
from connectors.co_partition import LETTERS, check_key, partition_counts
from connectors.consumer import consumer_of
from connectors.ends import Ends, Place
from connectors.log import NEVER_KNOWN, Assignment, Chunk, Lane, LogError, LogUnavailable, Poll
from connectors.memory import Bursts, give_back
from connectors.publisher import Committed, Progress

_KEY_SAMPLE = 256  # one record in this many chunks of a lane has its key checked against its partition
_BREAKS_LIMIT, _BREAKS_WINDOW_SECONDS = 5, 300.0
_PROOF_SECONDS = 0.15  # so often the broker is asked whether what was read to its end still is
_UNANSWERED = 2  # in a row; one alone, of 2 s, is an election, or a machine with too much to do

_HOPELESS = frozenset(
    (
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    )
)

log = structlog.get_logger("kafka")


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
        self._bursts = Bursts(time.monotonic)
        self.group_id = group_id
        self._assignment: Assignment | None = None
        self._sampled: dict[Lane, int] = {}
        self._end_told: dict[Lane, int] = {}
        self.group_metadata: Any = None
        self.shards: list[int] = []
        self._assigned: list[TopicPartition] = []
        self._closing = False
        self._ends = Ends({"bootstrap.servers": bootstrap_servers, **options}, _PROOF_SECONDS)
        more = {"on_commit": self._committed, **options}
        self._new_consumer = partial(
            consumer_of, bootstrap_servers, group_id, instance_id, batch_records, more
        )
        self._refused: KafkaError | None = None
        self._consumer = self._new_consumer()
        self._broken_at: list[float] = []
        self._broken = False
        self.partitions = partition_counts(self._consumer, topics)

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
        ended: dict[Lane, float] = {}
        passed: dict[Lane, int] = {}
        first = self._consumer.poll(timeout_seconds)
        if first is None:
            self._bursts.look(live=True, busy=False)
            self._prove(ended, or_ask=(self._topics[LETTERS], 0))
            return Poll([], ended)
        if first.error() is None:
            self._ends.unanswered = 0
        messages = [first, *self._consumer.consume(self._batch, 0)]
        self._bursts.look(live=len(messages) < self._batch // 4, busy=True)
        groups: dict[Lane, list[Message]] = {}
        topic: str | None = None
        part: int | None = None
        group: list[Message] = []
        for message in messages:
            if message.error() is not None:
                self._note(message, ended, passed)
                part = None  # the next record looks whether its lane has been said to be at its end
                continue
            if message.partition() != part or message.topic() != topic:
                topic, part = message.topic(), message.partition()
                lane = self._lane(message)
                group = groups.setdefault(lane, [])
                self._end_told.pop(lane, None)  # that was the end before this record came
                ended.pop(lane, None)
                passed.pop(lane, None)
            group.append(message)
        self._prove(ended)
        return Poll([self._chunk(lane, group) for lane, group in groups.items()], ended, passed)

    def pause(self, lanes: Iterable[Lane]) -> None:
        self._consumer.pause([TopicPartition(self._topics[role], part) for role, part in lanes])

    def resume(self, lanes: Iterable[Lane]) -> None:
        self._consumer.resume([TopicPartition(self._topics[role], part) for role, part in lanes])

    def reopen(self) -> None:
        assert self._assignment is not None
        self._assignment.lost(self.shards, fenced=True)
        self.shards = []
        if not self._broken:
            try:
                self._consumer.unsubscribe()
            except KafkaException as error:  # it broke since the last poll
                log.warning("taking a new consumer", error=error.args[0].name())
                self._broken = True
        if self._broken:
            self._consumer.close()
            self._consumer, self._broken = self._new_consumer(), False
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

    @property
    def trouble(self) -> str | None:
        """Polls of a broker that is gone are only empty, so it is asked; with shards or without."""
        return "Kafka: no broker answers" if self._ends.unanswered >= _UNANSWERED else None

    def close(self) -> None:
        self._closing = True  # the callbacks are served once more: shards that come only now are not opened
        self._consumer.close()

    # what the publisher needs

    def committed(self, shards: Collection[int], timeout_seconds: float) -> dict[int, Committed]:
        """What the group holds of these shards; waits while a transaction about it is pending."""
        asked = [
            TopicPartition(self._topics[role], part) for shard in shards for role, part in self.lanes(shard)
        ]
        try:
            places = self._consumer.committed(asked, timeout=timeout_seconds)
        except KafkaException as error:
            raise LogUnavailable(f"the group's offsets: {error.args[0].name()}") from error
        found = {shard: Committed(None, Progress({})) for shard in shards}
        for place in places:
            role, group = self._roles[place.topic], found[place.partition]
            if place.offset > 0:
                group.progress.marks[f"{role}/{place.partition}"] = place.offset - 1
            if role == LETTERS and place.offset >= 0:
                cursor, _, watermark = (place.metadata or "").rpartition("@")
                group.cursor, group.progress.watermark = cursor, int(watermark or -1)
        return found

    def commit(self, offsets: list[TopicPartition]) -> None:
        """Without waiting for the answer, which takes longer than all the rest; an error of it shows in the next."""
        if self._refused is not None:
            refused, self._refused = self._refused, None
            raise KafkaException(refused)
        self._consumer.commit(offsets=offsets, asynchronous=True)

    def _committed(self, error: KafkaError | None, _: list[TopicPartition]) -> None:
        self._refused = error or self._refused

    # rebalance

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        assert self._assignment is not None
        if self._closing:
            consumer.assign([])
            return
        metrics.REBALANCES.inc()
        give_back()
        self._bursts.begin()  # what is read anew now
        self.shards = sorted(tp.partition for tp in partitions)
        self._end_told.clear()
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
            first = messages[0]
            place = first.topic() or "", lane[1], self.partitions[lane[0]], first.offset() or 0
            check_key(lane[0], *place, first.key())
        offsets: Any = [m.offset() for m in messages]
        return Chunk(lane, offsets, [m.value() for m in messages], lambda i: messages[i].key())

    def _prove(self, ended: dict[Lane, float], or_ask: Place | None = None) -> None:
        """Which lanes are still at the end that was told, and as of when. `or_ask`: where no lane is at its end."""
        answer = self._ends.answer()
        if answer is not None:
            asked_at, ends = answer
            for lane, told in self._end_told.items():
                if ends.get((self._topics[lane[0]], lane[1])) == told:
                    ended[lane] = asked_at
        now = time.monotonic()
        if self._ends.may_ask(now):
            places = [(self._topics[role], part) for role, part in self._end_told]
            self._ends.ask(places or ([] if or_ask is None else [or_ask]), now)

    def _note(self, message: Message, ended: dict[Lane, float], passed: dict[Lane, int]) -> None:
        error = message.error()
        assert error is not None
        if error.code() == KafkaError._PARTITION_EOF:
            lane = self._lane(message)
            self._end_told[lane] = message.offset() or 0
            ended[lane] = NEVER_KNOWN
            if self._end_told[lane]:
                passed[lane] = self._end_told[lane] - 1
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise LogError(
                f"topic {message.topic()} partition {message.partition()}: our mark is outside the log "
                f"({error.str()}). Records were deleted before they were read, or the topic was recreated"
            )
        elif error.fatal() or error.code() == KafkaError._FATAL:
            self._break(error)
        elif error.code() in _HOPELESS:
            raise LogError(f"Kafka, and waiting will not mend it: {error.name()}: {error.str()}")
        else:
            log.warning("broker trouble, waiting", error=error.name())

    def _break(self, error: KafkaError) -> None:
        """This consumer is of no use any more; a new one is, unless somebody else really is who we say we are.

        A static member whose session ended while the broker was away is told that another has its name: itself.
        """
        now = time.monotonic()
        self._broken_at = [at for at in self._broken_at if now - at < _BREAKS_WINDOW_SECONDS] + [now]
        if len(self._broken_at) > _BREAKS_LIMIT:
            raise LogError(
                f"Kafka: {error.str()}. Is another process running with the same kafka.instance_id? Give each its own"
            )
        self._broken = True
        raise LogUnavailable(f"Kafka: {error.str()}")
