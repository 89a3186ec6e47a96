"""Which topics are there, how far does each reach, and is it still the same? Asked of the brokers, beside the flow."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewTopic
from msgspec import Struct

from connectors.answers import answer_of
from connectors.log import LogError

_ANSWER_SECONDS = 15.0
_RETRY_SECONDS = 0.1
_ERRORS_KEPT = 10
_COORDINATOR_STARTS = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)

Place = tuple[str, int]
"""A partition of a topic: (topic name, partition)."""


class Extent(Struct, frozen=True):
    """`begin`: the offset of the first record kept; `end`: of the next one to be written."""

    begin: int
    end: int


class Brokers:
    """Questions to a cluster, each one round trip; raises LogError where it does not answer."""

    def __init__(
        self,
        bootstrap_servers: str,
        options: Mapping[str, Any],
        answer_seconds: float = _ANSWER_SECONDS,
        *,
        group_id: str,
    ) -> None:
        """`group_id`: ours; whoever reads without a group needs a name that rights on ours as a prefix cover."""
        self._config: dict[str, Any] = {"bootstrap.servers": bootstrap_servers, "log_level": 0, **options}
        # What the client is told of connections; the last few say enough. Not a method of ours: client and object would
        # hold each other, and as the collector hardly ever runs (flows/realtime.py) its threads would stay for ever.
        self._errors: deque[KafkaError] = deque(maxlen=_ERRORS_KEPT)
        try:
            self._admin = AdminClient(self._config | {"error_cb": self._errors.append})
        except KafkaException as error:
            raise LogError(f"kafka.options: {error.args[0].str()}") from error
        self._seconds = answer_seconds
        self._reader = f"{group_id}.extent"

    def partitions(self) -> dict[str, int]:
        """How many each topic has."""
        try:
            known = self._admin.list_topics(timeout=self._seconds).topics
        except KafkaException as error:
            raise LogError(f"no Kafka broker answers: {self._why() or error.args[0].str()}") from error
        return {_kept(name): len(topic.partitions) for name, topic in known.items()}

    def rights(self, names: Collection[str]) -> dict[str, frozenset[str]]:
        """What we may do by topic, as `READ`; none on one of which we may not even know. Without what nobody knows of.

        Brokers that keep no access lists tell all there is, or nothing, and then it is left out too.
        """
        asked = self._admin.describe_topics(
            TopicCollection([*names]), include_authorized_operations=True, request_timeout=_ANSWER_SECONDS
        )
        found = {}
        for name, each in asked.items():
            try:
                allowed = _answer(each).authorized_operations
            except LogError as error:
                if _code_of(error) == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    found[name] = frozenset[str]()
                elif _code_of(error) != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
                continue
            if allowed:
                found[name] = frozenset(operation.name for operation in allowed)
        return found

    def may_join(self, group_id: str) -> bool:
        """Unless we are told that not, we may."""
        asked = self._admin.describe_consumer_groups(
            [group_id], include_authorized_operations=True, request_timeout=_ANSWER_SECONDS
        )
        try:
            allowed = _answer(asked[group_id]).authorized_operations
        except LogError as error:
            return _code_of(error) != KafkaError.GROUP_AUTHORIZATION_FAILED
        return not allowed or any(operation.name == "READ" for operation in allowed)

    def create(self, name: str, partitions: int, replication_factor: int, config: dict[str, str]) -> None:
        topic = NewTopic(name, partitions, replication_factor, config=config)
        _answer(self._admin.create_topics([topic])[name])

    def topic_ids(self, names: Collection[str]) -> dict[str, str]:
        """What tells a topic from one that had its name before; none from brokers older than 2.8."""
        asked = self._admin.describe_topics(TopicCollection([*names]), request_timeout=_ANSWER_SECONDS)
        ids = {name: str(_answer(each).topic_id) for name, each in asked.items()}
        return {
            name: topic_id for name, topic_id in ids.items() if topic_id.strip("A=")
        }  # all zeros: not known

    def extents(self, places: Iterable[Place]) -> dict[Place, Extent]:
        asked = [TopicPartition(topic, part) for topic, part in places]
        if not asked:
            return {}
        begins, ends = (
            self._offsets(asked, spec)
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call]
        )
        return {place: Extent(begin, ends[place]) for place, begin in begins.items()}

    def compacted(self, names: Collection[str]) -> set[str]:
        """Topics that keep only the latest record of each key."""
        return {name for name, each in self.configs(names).items() if "compact" in each["cleanup.policy"]}

    def configs(self, names: Collection[str]) -> dict[str, dict[str, str]]:
        """The settings of these topics, defaults included, by topic."""
        asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        found = self._admin.describe_configs(asked, request_timeout=_ANSWER_SECONDS)
        return {
            resource.name: {name: str(entry.value) for name, entry in _answer(each).items()}
            for resource, each in found.items()
        }

    def copies(self, names: Collection[str]) -> dict[Place, tuple[int, int]]:
        """Of each partition: how many copies there are to be, and how many are up to date; (n, 0): it has no leader."""
        known = self._admin.list_topics(timeout=self._seconds).topics
        return {
            (name, part.id): (len(part.replicas), len(part.isrs) if part.leader >= 0 else 0)
            for name in names
            if name in known
            for part in known[name].partitions.values()
        }

    def group_members(self, group_id: str) -> int:
        """How many processes read as this group; one that was killed counts until its session ends."""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while True:
            asked = self._admin.describe_consumer_groups([group_id], request_timeout=_ANSWER_SECONDS)
            try:
                return len(_answer(asked[group_id]).members)
            except LogError as error:
                code = _code_of(error)
                if code == KafkaError.GROUP_ID_NOT_FOUND:
                    return 0
                if code not in _COORDINATOR_STARTS or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)

    def group_offsets(self, group_id: str, places: Iterable[Place]) -> dict[Place, int]:
        """How far this group has read; without the places of which it knows nothing."""
        asked = ConsumerGroupTopicPartitions(group_id, [TopicPartition(*place) for place in places])
        found = self._admin.list_consumer_group_offsets([asked], request_timeout=_ANSWER_SECONDS)
        offsets = _answer(found[group_id]).topic_partitions
        return {(each.topic, each.partition): each.offset for each in offsets if each.offset >= 0}

    def first_records_ms(
        self, extents: Mapping[Place, Extent], progress: Callable[[int, int], None]
    ) -> dict[Place, int]:
        """When the first record kept was written, by its time stamp; without those that do not come."""
        waiting = {place for place, extent in extents.items() if extent.begin < extent.end}
        total = len(waiting)
        found: dict[Place, int] = {}
        small = {"fetch.message.max.bytes": 1024, "queued.max.messages.kbytes": 64}  # one record is asked for
        consumer = Consumer({**self._config, **small, "group.id": self._reader, "enable.auto.commit": False})
        try:
            consumer.assign([TopicPartition(*place, extents[place].begin) for place in waiting])
            deadline = time.monotonic() + _ANSWER_SECONDS
            while waiting and time.monotonic() < deadline:
                message = consumer.poll(_RETRY_SECONDS)
                if message is not None and message.error() is None:
                    place = (message.topic() or "", message.partition() or 0)
                    if place in waiting:
                        waiting.discard(place)
                        found[place] = message.timestamp()[1]
                        consumer.pause([TopicPartition(*place)])
                        progress(total - len(waiting), total)
        finally:
            consumer.close()
        return found

    def _offsets(self, places: list[TopicPartition], spec: OffsetSpec) -> dict[Place, int]:
        found = self._admin.list_offsets(dict.fromkeys(places, spec), request_timeout=_ANSWER_SECONDS)
        return {(place.topic, place.partition): _answer(each).offset for place, each in found.items()}

    def _why(self) -> str:
        """Why no broker answers, if one has said so: a login refused, a certificate not believed."""
        self._admin.poll(0)
        told = [error.str() for error in self._errors if error.code() != KafkaError._ALL_BROKERS_DOWN]
        return told[-1] if told else ""


# By the client, for each topic that it describes; alive here for the reason told in `_kept`.
INTERNED = ("most_significant_bits", "least_significant_bits")


@lru_cache(maxsize=10_000)
def _kept(name: str) -> str:
    """Known from one look to the next.

    The client interns each name. Those that came and went every ten seconds filled up Python's table of such names,
    which took a megabyte more after half an hour.
    """
    return sys.intern(name)


def _code_of(error: LogError) -> int | None:
    cause = error.__cause__
    return cause.args[0].code() if isinstance(cause, KafkaException) else None


def _answer(each: Any) -> Any:
    try:
        return answer_of(each, _ANSWER_SECONDS)
    except KafkaException as error:
        raise LogError(f"Kafka: {error.args[0].name()}: {error.args[0].str()}") from error
    except TimeoutError as error:
        raise LogError(f"no Kafka broker answers within {_ANSWER_SECONDS:.0f} s") from error
