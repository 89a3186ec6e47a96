"""How does the demo shop get onto the inputs? Its records written when they are due, to Kafka or the file log.

An input that somebody wrote before is taken up where it ended: the shop's past is not told twice.
"""

from __future__ import annotations

import contextlib
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from config.settings import Kafka, Settings
from connectors.demo_pace import Pace
from connectors.demo_shop import DemoShop
from connectors.files import FileTopic, FileWriter
from connectors.murmur2 import partition
from flows.assemble import input_topics, wall_ms
from flows.stop import Stop

_SLEEP_LIMIT_MS = 50
_LOOK_EVERY = 256
_LATELY_SECONDS = 30
_BEHIND_MS = 2000  # what is written live is dated now; later than this it was made too slowly
_FLUSH_SECONDS = 10.0
_PAST_SECONDS = 30.0
_TAIL = 20


class Inputs(Protocol):
    """Where the shop writes. `last_ts`: the event time the inputs had reached before, None if they are empty."""

    last_ts: int | None

    def write(self, role: str, key: str, value: bytes) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Shown(msgspec.Struct, frozen=True):
    """What was written. `live_per_second`: in the last half minute, once it was live; `slow`: it fell behind."""

    events: int
    seconds: float
    live_per_second: float | None
    slow: bool


def run(
    settings: Settings, rate: float | None, duration_ms: int | None, on_live: Callable[[], None]
) -> Shown:
    """Write until told to stop or `duration_ms` is over.

    `on_live` is called, again and again, when all that was due is written and the shop waits for the clock.
    """
    stop = Stop(duration_ms)
    with stop.on_signals():
        return _write(settings, rate, stop, on_live)


def _write(settings: Settings, rate: float | None, should_stop: Stop, on_live: Callable[[], None]) -> Shown:
    demo = settings.demo
    inputs = _inputs(settings)
    now = wall_ms()
    start, known = now - demo.behind, inputs.last_ts is not None
    if inputs.last_ts is not None:
        start = min(max(start, inputs.last_ts), now)
    pace = Pace(start, now, demo.speed)
    shop = DemoShop(
        demo.seed, demo.shoppers, start, live_at=pace.live_at, rate=rate or demo.rate, history=not known
    )
    tally = _Tally(pace)
    try:
        for record in shop.events():
            while (wait := pace.wait_ms(record.ts, wall_ms())) > 0 and not should_stop():
                inputs.flush()
                on_live()
                tally.look()
                time.sleep(min(wait, _SLEEP_LIMIT_MS) / 1000)
            looks = tally.events % _LOOK_EVERY == 0  # who asks for more than we can write never waits
            if looks:
                inputs.flush()
                tally.look()
            if wait > 0 or (looks and should_stop()):
                break
            inputs.write(record.topic, record.key, record.value)
            tally.events, tally.last_ts = tally.events + 1, record.ts
    finally:
        inputs.close()
    return tally.shown()


class _Tally:
    """How much was written, and how fast of late, once event time has reached the wall clock."""

    def __init__(self, pace: Pace) -> None:
        self.events, self.last_ts = 0, pace.start_ts
        self._pace = pace
        self._began = time.monotonic()
        self._seconds: deque[tuple[float, int]] = deque(maxlen=_LATELY_SECONDS)

    def look(self) -> None:
        """Once a second, how much there is by now."""
        now = time.monotonic()
        if wall_ms() >= self._pace.live_at and (not self._seconds or now - self._seconds[-1][0] >= 1):
            self._seconds.append((now, self.events))

    def shown(self) -> Shown:
        now, rate = time.monotonic(), None
        if self._seconds and now > self._seconds[0][0]:
            rate = (self.events - self._seconds[0][1]) / (now - self._seconds[0][0])
        slow = rate is not None and wall_ms() - self.last_ts > _BEHIND_MS
        return Shown(self.events, now - self._began, rate, slow)


@contextlib.contextmanager
def beside(settings: Settings, config_args: list[str]) -> Iterator[None]:
    """The shop as a process of its own, for as long as the service runs: it must not take the flow's time.

    Begins when the shop's past is written. Files are written one after the other, and a flow that found one
    at its end before the next was written would take the rest of the past for late.
    """
    command = [sys.executable, "-m", "console.cli", "demo", *config_args]
    child = subprocess.Popen(  # noqa: S603 - ourselves
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert child.stdout is not None
        select.select([child.stdout], [], [], _PAST_SECONDS)  # its first line, or its end
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=_FLUSH_SECONDS)


def _inputs(settings: Settings) -> Inputs:
    return _KafkaInputs(settings) if settings.source.kind == "kafka" else _FileInputs(settings)


class _FileInputs:
    """One writer a file, with what is due written together."""

    def __init__(self, settings: Settings) -> None:
        self._partitions = settings.files.partitions
        directory = Path(settings.files.directory)
        self._topics = {
            role: FileTopic(directory, name, self._partitions)
            for role, name in input_topics(settings).items()
        }
        self._writers: dict[tuple[str, int], FileWriter] = {}
        self._waiting: dict[tuple[str, int], list[bytes]] = {}
        self.last_ts = self._reached()

    def write(self, role: str, key: str, value: bytes) -> None:
        place = role, partition(key.encode(), self._partitions)
        self._waiting.setdefault(place, []).append(value)

    def flush(self) -> None:
        for place, values in self._waiting.items():
            self._writer(place).append(values)
        self._waiting.clear()

    def close(self) -> None:
        self.flush()
        for writer in self._writers.values():
            writer.close()

    def _writer(self, place: tuple[str, int]) -> FileWriter:
        if place not in self._writers:
            self._writers[place] = FileWriter(self._topics[place[0]].path(place[1]))
        return self._writers[place]

    def _reached(self) -> int | None:
        """The latest event time among the last lines of the click streams."""
        found: list[int] = []
        for part in self._topics["clickstream"].existing():
            for line in self._writer(("clickstream", part)).tail(_TAIL):
                with contextlib.suppress(msgspec.MsgspecError):  # a bad record of the demo's own says no time
                    found.append(msgspec.json.decode(line, type=_Dated).ts)
        return max(found, default=None)


class _KafkaInputs:
    def __init__(self, settings: Settings) -> None:
        self._names = input_topics(settings)
        common = {"bootstrap.servers": settings.kafka.bootstrap_servers, **settings.kafka.options}
        self._producer = Producer({**common, "partitioner": "murmur2_random", "linger.ms": 5})
        self.last_ts = wall_ms() if self._is_used(common, settings.kafka) else None

    def write(self, role: str, key: str, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(self._names[role], value, key)
                return
            except BufferError:
                self._producer.poll(0.1)

    def flush(self) -> None:
        self._producer.poll(0)

    def close(self) -> None:
        self._producer.flush(_FLUSH_SECONDS)

    def _is_used(self, common: Mapping[str, object], kafka: Kafka) -> bool:
        consumer = Consumer({**common, "group.id": f"{kafka.group_id}.demo"})
        try:
            for part in range(kafka.partitions):
                low, high = consumer.get_watermark_offsets(
                    TopicPartition(self._names["clickstream"], part), 10
                )
                if high > low:
                    return True
        finally:
            consumer.close()
        return False


class _Dated(msgspec.Struct):
    ts: int
