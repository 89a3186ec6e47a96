"""Does partition p of every topic belong to the same users? As many partitions, and the same partitioner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException

from connectors.log import LogError
from connectors.murmur2 import partition

LETTERS = "letters"
USER_KEYED = ("clickstream", "orders", "customers", "engagement", LETTERS)
_KEY_CHECKED = frozenset((*USER_KEYED[:-1], "inventory"))  # a context record needs no key
_METADATA_SECONDS = 10.0


def partition_counts(consumer: Consumer, topics: Mapping[str, str]) -> dict[str, int]:
    """By role, of topics by role; raises LogError where they are not there or do not fit together."""
    try:
        known: dict[str, Any] = consumer.list_topics(timeout=_METADATA_SECONDS).topics
    except KafkaException as error:
        raise LogError(f"no Kafka broker answers: {error.args[0].str()}") from error
    missing = [name for name in topics.values() if name not in known or known[name].error is not None]
    if missing:
        raise LogError(f"topics {', '.join(missing)} do not exist: run `beckon topics create`")
    counts = {role: len(known[name].partitions) for role, name in topics.items()}
    shards = counts[LETTERS]
    for role, count in counts.items():
        if (role in USER_KEYED and count != shards) or count > shards:
            raise LogError(
                f"topic {topics[role]} has {count} partitions, but there are {shards} shards "
                f"(partitions of {topics[LETTERS]}): user-keyed topics need exactly as many, others no more"
            )
    return counts


def check_key(role: str, topic: str, part: int, partitions: int, offset: int, key: bytes | None) -> None:
    """Raises LogError where a record lies on another partition than its key's."""
    if role not in _KEY_CHECKED or (key is not None and partition(key, partitions) == part):
        return
    belongs = (
        "has no key" if key is None else f"has a key that belongs on partition {partition(key, partitions)}"
    )
    raise LogError(
        f"topic {topic} is not co-partitioned: the record at partition {part}, offset {offset} {belongs}. Producers "
        "must key by user id with the murmur2 partitioner (librdkafka: partitioner=murmur2_random)"
    )
