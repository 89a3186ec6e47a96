"""Does a lane that pauses now and then, as one that is ahead of its shard's others does, cost little?"""

from __future__ import annotations

import json
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from confluent_kafka import Producer

from connectors.kafka import KafkaLog
from connectors.log import Lane
from tests.contract.member import Owner
from tests.servers.kafka import KafkaServer

CLICKS: Lane = ("clickstream", 0)
ITEMS: Lane = ("inventory", 0)
ROLES = (CLICKS[0], ITEMS[0], "letters")
_RECORDS = {CLICKS: 60_000, ITEMS: 30_000}
_TAKEN = {CLICKS: 2, ITEMS: 1}  # there are so many of each in any time
_PAUSED_AT, _RESUMED_AT = 6_600, 3_300  # as with three lanes and 20,000 queued
_BATCH, _APPLIED_SECONDS = 1_000, 0.05
_SECONDS = 30.0


class Reader:
    """Of three topics with a partition each, `written` to before; `fetched`: records, as librdkafka counts them."""

    def __init__(self, kafka: KafkaServer, written: Mapping[Lane, int]) -> None:
        self.fetched = 0
        self._app = uuid.uuid4().hex[:8]
        topics = {role: f"{self._app}.{role}" for role in ROLES}
        kafka.create_topics(dict.fromkeys(topics.values(), 1))
        producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
        for (role, _), count in written.items():
            for _ in range(count):
                producer.produce(topics[role], b"1" * 150, b"u1")
                producer.poll(0)
        assert producer.flush(_SECONDS) == 0
        options = {"statistics.interval.ms": 50, "stats_cb": self._count}
        self.log = KafkaLog(
            topics,
            bootstrap_servers=kafka.bootstrap_servers,
            group_id=self._app,
            instance_id="",
            batch_records=_BATCH,
            options=options,
        )
        self.log.start(Owner())

    def _count(self, said: str) -> None:
        told: Any = json.loads(said)
        self.fetched = told["rxmsgs"]

    def read(self, seconds: float) -> dict[Lane, int]:
        found: dict[Lane, int] = {}
        for chunk in self.log.poll(seconds).chunks:
            found[chunk.lane] = found.get(chunk.lane, 0) + len(chunk.values)
        return found

    def seconds_until(self, holds: Callable[[dict[Lane, int]], bool]) -> float:
        begun = time.monotonic()
        while not holds(self.read(0.01)):
            assert time.monotonic() < begun + _SECONDS
        return time.monotonic() - begun


@pytest.fixture
def reader(kafka: KafkaServer, request: pytest.FixtureRequest) -> Iterator[Reader]:
    made = Reader(kafka, request.param)
    yield made
    made.log.close()


@pytest.mark.parametrize("reader", [_RECORDS], indirect=True)
def test_what_was_fetched_ahead_is_not_fetched_again_and_again(reader: Reader) -> None:
    """One topic has twice as many records in the same time as the other, so it is the other that gets ahead."""
    waiting, read, paused = dict.fromkeys(_RECORDS, 0), dict.fromkeys(_RECORDS, 0), set[Lane]()
    deadline = time.monotonic() + _SECONDS
    while read != _RECORDS:
        assert time.monotonic() < deadline, f"{read} read"
        for lane, count in reader.read(0.05).items():
            read[lane] += count
            waiting[lane] += count
        pairs = min(waiting[lane] // _TAKEN[lane] for lane in waiting)
        for lane in waiting:
            waiting[lane] -= pairs * _TAKEN[lane]
        ahead = {lane for lane in waiting if waiting[lane] > _PAUSED_AT} - paused
        done = {lane for lane in paused if waiting[lane] <= _RESUMED_AT}
        reader.log.pause(ahead)
        reader.log.resume(done)
        paused = (paused | ahead) - done
        time.sleep(_APPLIED_SECONDS)  # meanwhile librdkafka fetches ahead
    reader.seconds_until(lambda _: reader.fetched >= sum(_RECORDS.values()))
    assert reader.fetched < 1.5 * sum(_RECORDS.values())


@pytest.mark.parametrize("reader", [{CLICKS: 30_000}], indirect=True)
def test_a_lane_goes_on_at_once_though_the_others_are_at_their_end(reader: Reader) -> None:
    reader.seconds_until(lambda found: CLICKS in found)
    waited = []
    for turn in range(15):
        reader.log.pause([CLICKS])
        pause_seconds = 0.5 + 0.03 * turn  # so that it goes on at any time of a fetch that waits
        reader.seconds_until(_after(pause_seconds))
        reader.log.resume([CLICKS])
        waited.append(reader.seconds_until(lambda found: CLICKS in found))
    assert statistics.median(waited) < 0.15


def _after(seconds: float) -> Callable[[object], bool]:
    until = time.monotonic() + seconds
    return lambda _: time.monotonic() >= until
