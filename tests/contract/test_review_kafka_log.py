"""Does the Kafka log bring every record after a rebalance, and tell the end of a partition only when it is there?"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping

import pytest
from confluent_kafka import KafkaError, Producer

from connectors.kafka import KafkaLog
from connectors.log import NEVER_KNOWN, Lane
from state.redis_ledger import StoreUnavailable
from tests.servers.kafka import KafkaServer

ROLES = ("clickstream", "orders", "customers", "engagement", "context", "letters")
CLICKS: Lane = ("clickstream", 0)
_SECONDS = 30.0


class Owner:
    """Reads every shard from its beginning; its store may be away for so many times."""

    away = 0

    def gained(self, shards: list[int]) -> Mapping[Lane, int]:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        return {}

    def lost(self, shards: list[int], *, fenced: bool) -> None: ...


class Shop:
    def __init__(self, kafka: KafkaServer) -> None:
        self.kafka = kafka
        app = uuid.uuid4().hex[:8]
        self.topics = {role: f"{app}.{role}" for role in ROLES}
        kafka.create_topics(dict.fromkeys(self.topics.values(), 1))
        self.log = KafkaLog(
            self.topics,
            bootstrap_servers=kafka.bootstrap_servers,
            group_id=app,
            instance_id="",
            batch_records=100,
            options={},
        )
        self.owner = Owner()
        self.log.start(self.owner)

    def write(self, role: str, *values: bytes, key: bytes | None = b"u1") -> None:
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap_servers})
        for value in values:
            producer.produce(self.topics[role], value, key)
        assert producer.flush(_SECONDS) == 0

    def read(self, lane: Lane, count: int) -> list[bytes | None]:
        """Everything of a lane until `count` records and its end have come."""
        found: list[bytes | None] = []
        ended = False
        deadline = time.monotonic() + _SECONDS
        while len(found) < count or not ended:
            assert time.monotonic() < deadline, f"{len(found)} records of {lane}, ended: {ended}"
            try:
                polled = self.log.poll(0.1)
            except StoreUnavailable:
                self.log.reopen()
                continue
            for chunk in polled.chunks:
                if chunk.lane == lane:
                    found += chunk.values
                    ended = False
            ended = ended or lane in polled.ended
        return found


@pytest.fixture
def shop(kafka: KafkaServer) -> Iterator[Shop]:
    made = Shop(kafka)
    yield made
    made.log.close()


def test_a_store_that_is_away_while_shards_are_gained_is_waited_for(shop: Shop) -> None:
    """Nothing is read meanwhile: not from the group's offsets, and not into an error about them."""
    shop.write("clickstream", b"1")
    shop.owner.away = 2
    assert shop.read(CLICKS, 1) == [b"1"]
    assert shop.owner.away == 0


def test_a_paused_lane_is_read_again_when_its_shard_is_gained_again(shop: Shop) -> None:
    """librdkafka keeps the pause; a shard whose lane nobody resumes would wait for it for ever."""
    shop.write("clickstream", b"1", b"2")
    assert shop.read(CLICKS, 2) == [b"1", b"2"]
    shop.log.pause([CLICKS])
    shop.log.reopen()
    assert shop.read(CLICKS, 2) == [b"1", b"2"]


def test_the_end_is_told_again_after_a_pause(shop: Shop) -> None:
    shop.write("clickstream", b"1")
    assert shop.read(CLICKS, 1) == [b"1"]
    shop.log.pause([CLICKS])
    shop.write("clickstream", b"2")
    shop.log.poll(0.5)
    shop.log.resume([CLICKS])
    assert shop.read(CLICKS, 1) == [b"2"]


def test_an_end_is_known_as_of_a_time_and_true_then(shop: Shop) -> None:
    """What was written before that time has been read: a lane at its end may speak for the time until then."""
    written: list[float] = []
    read = 0
    deadline = time.monotonic() + 6
    last_known = NEVER_KNOWN
    while time.monotonic() < deadline:
        if len(written) < 12 and (not written or time.monotonic() - written[-1] > 0.2):
            shop.write("clickstream", b"1")
            written.append(time.monotonic())
            if len(written) % 4 == 0:
                time.sleep(1.0)  # as a process that is stopped: what it heard before is old when it goes on
        polled = shop.log.poll(0.02)
        read += sum(len(chunk.values) for chunk in polled.chunks if chunk.lane == CLICKS)
        known = polled.ended.get(CLICKS, NEVER_KNOWN)
        last_known = max(last_known, known)
        assert read >= sum(at <= known for at in written)
    assert read == len(written) == 12
    assert last_known > written[-1], "it is never known that nothing more came"


def test_a_context_record_needs_no_key(shop: Shop) -> None:
    shop.write("context", b"{}", key=None)
    assert shop.read(("context", 0), 1) == [b"{}"]


class Said:
    """What librdkafka hands out: a record, or the end of its partition."""

    def __init__(self, topic: str, offset: int, *, end: bool = False) -> None:
        self._topic, self._offset, self._end = topic, offset, end

    def error(self) -> KafkaError | None:
        return KafkaError(KafkaError._PARTITION_EOF) if self._end else None

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes:
        return b"{}"

    def key(self) -> bytes:
        return b"u1"


class Saying:
    def __init__(self, *said: Said) -> None:
        self._said = said

    def poll(self, timeout: float) -> Said:
        return self._said[0]

    def consume(self, count: int, timeout: float) -> list[Said]:
        return [*self._said[1:]]


def test_an_end_that_records_have_followed_is_no_end(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    clicks, orders = shop.topics["clickstream"], shop.topics["orders"]
    saying = Saying(
        Said(clicks, 0),
        Said(clicks, 1, end=True),
        Said(clicks, 1),
        Said(orders, 0),
        Said(orders, 1, end=True),
    )
    with monkeypatch.context() as patched:
        patched.setattr(shop.log, "_consumer", saying)
        polled = shop.log.poll(0.0)
    assert [*polled.ended] == [("orders", 0)]
    assert [(chunk.lane, chunk.offsets) for chunk in polled.chunks] == [
        (CLICKS, [0, 1]),
        (("orders", 0), [0]),
    ]


def test_shards_that_come_while_it_closes_are_not_opened(kafka: KafkaServer) -> None:
    """As at a SIGTERM just after the start: nobody is there any more who could own them."""
    shop = Shop(kafka)
    opened: list[list[int]] = []
    shop.owner.gained = opened.append  # type: ignore[assignment, method-assign]
    time.sleep(4.0)  # the group has given its shards; nobody has polled, so the callback waits
    shop.log.close()
    assert opened == []
