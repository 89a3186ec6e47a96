"""Was anything lost, said twice or kept wrong? A program that shares no code with beckon, and so none of its mistakes.

    python -m tests.chaos.verifier TASK.json

The task names a broker, a Redis, the app, its topics and the delays of its rules. The input topics are read from
their beginning and told anew; triggers, decisions and dead letters are read as a read_committed reader sees them,
and Redis as docs/state.md says. The verdict is one JSON object on standard output; exit code 1 if it is not clean.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import msgpack
import redis
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from tests.chaos.oracle import ORDER, Record, expected
from tests.chaos.verdict import Observed, judge

INPUTS = ORDER[:-1]
_ANSWER_SECONDS = 30.0
_READ_SECONDS = 120.0
_SHARD_KEY = re.compile(rb"\{[^}]*:s(\d+)\}:(\w+):?(.*)", re.DOTALL)


class Topics:
    """The topics of one app on one broker."""

    def __init__(self, bootstrap_servers: str, group: str, names: Mapping[str, str]) -> None:
        self._names, self._group = names, group
        self._settings: dict[str, Any] = {
            "bootstrap.servers": bootstrap_servers,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }

    def read(self, roles: Iterable[str]) -> dict[str, list[Message]]:
        """Every record by role, those of a partition in order, up to the end that each partition has now."""
        found: dict[str, list[Message]] = {role: [] for role in roles}
        role_of = {self._names[role]: role for role in found}
        consumer = Consumer({**self._settings, "group.id": f"{self._group}.verifier"})
        try:
            unread = {
                (place.topic, place.partition): end for place, end in self._ends(consumer, found) if end
            }
            consumer.assign([TopicPartition(topic, part, 0) for topic, part in unread])
            silent = 0.0
            while unread:
                message = consumer.poll(1.0)
                if message is None:
                    silent += 1.0
                    if silent > _READ_SECONDS:
                        raise TimeoutError(f"cannot read to the end: {sorted(unread)}")
                    continue
                place = (message.topic() or "", cast("int", message.partition()))
                if (error := message.error()) is None:
                    found[role_of[place[0]]].append(message)
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise RuntimeError(error.str())
                elif cast("int", message.offset()) >= unread.get(place, 0):
                    unread.pop(place, None)
        finally:
            consumer.close()
        return found

    def ends(self) -> dict[tuple[str, int], int]:
        consumer = Consumer({**self._settings, "group.id": f"{self._group}.verifier"})
        try:
            role_of = {self._names[role]: role for role in INPUTS}
            return {
                (role_of[place.topic], place.partition): end for place, end in self._ends(consumer, INPUTS)
            }
        finally:
            consumer.close()

    def committed(self, ends: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        """What any lag tool sees of beckon's group."""
        consumer = Consumer({**self._settings, "group.id": self._group})
        try:
            role_of = {self._names[role]: role for role in INPUTS}
            asked = [TopicPartition(self._names[role], part) for role, part in ends]
            places = consumer.committed(asked, _ANSWER_SECONDS)
            return {(role_of[place.topic], place.partition): max(0, place.offset) for place in places}
        finally:
            consumer.close()

    def _ends(self, consumer: Consumer, roles: Iterable[str]) -> list[tuple[TopicPartition, int]]:
        known = consumer.list_topics(timeout=_ANSWER_SECONDS).topics
        places = [
            TopicPartition(self._names[role], part)
            for role in roles
            for part in known[self._names[role]].partitions
        ]
        return [(place, consumer.get_watermark_offsets(place, _ANSWER_SECONDS)[1]) for place in places]


def records_of(role: str, messages: Iterable[Message]) -> list[Record]:
    return [
        Record(
            role,
            cast("int", message.partition()),
            cast("int", message.offset()),
            message.value() or b"",
            poison=any(name == "chaos" for name, _ in headers_of(message)),
        )
        for message in messages
    ]


def headers_of(message: Message) -> list[tuple[str, bytes]]:
    return cast("list[tuple[str, bytes]]", message.headers() or [])


def outputs_of(messages: Iterable[Message]) -> list[tuple[int, dict[str, Any]]]:
    return [(cast("int", message.partition()), json.loads(message.value() or b"")) for message in messages]


def origin(letter: Message, roles: Mapping[str, str]) -> tuple[str, int, int]:
    """Which input record a dead letter tells of."""
    said = {name: value.decode() for name, value in headers_of(letter)}
    topic, part, offset = (said[f"__connect.errors.{name}"] for name in ("topic", "partition", "offset"))
    return roles[topic], int(part), int(offset)


def look_into_redis(url: str, app: str, observed: Observed) -> None:
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(match=f"{{{app}:s*}}:*", count=1000):
            named = _SHARD_KEY.fullmatch(key)
            assert named is not None, key
            shard, part, name = int(named[1]), named[2].decode(), named[3].decode()
            if part == "u":
                blob = cast("bytes", client.get(key))
                observed.users[shard, name] = msgpack.unpackb(blob, strict_map_key=False)
            elif part == "timers":
                timers = cast("list[tuple[bytes, float]]", client.zrange(key, 0, -1, withscores=True))
                observed.timers |= {(shard, user.decode()): int(due) for user, due in timers}
            elif part == "marks":
                marks = cast("dict[bytes, bytes]", client.hgetall(key))
                observed.marks |= {(shard, lane.decode()): int(offset) for lane, offset in marks.items()}
            elif part == "outbox":
                observed.outbox += cast("int", client.llen(key))


def verdict_of(task: Mapping[str, Any]) -> dict[str, Any]:
    topics = Topics(task["bootstrap_servers"], task["app"], task["topics"])
    inputs = topics.read(INPUTS)
    records = [record for role, messages in inputs.items() for record in records_of(role, messages)]
    ought = expected(records, task["delays"])
    outputs = topics.read(("triggers", "decisions", "dead_letters"))
    roles = {name: role for role, name in task["topics"].items()}
    ends = topics.ends()
    observed = Observed(
        triggers=outputs_of(outputs["triggers"]),
        decisions=outputs_of(outputs["decisions"]),
        dead=[origin(letter, roles) for letter in outputs["dead_letters"]],
        ends=ends,
        committed=topics.committed(ends),
    )
    look_into_redis(task["redis_url"], task["app"], observed)
    repeats = task["guarantee"] == "at_least_once"
    return {**judge(ought, observed, repeats_allowed=repeats).report(), "records": len(records)}


if __name__ == "__main__":
    verdict = verdict_of(json.loads(Path(sys.argv[1]).read_text()))
    sys.stdout.write(json.dumps(verdict, indent=1) + "\n")
    sys.exit(0 if verdict["clean"] else 1)
