"""Who writes the shop's events while all else breaks? One thread, paced by the clock, that never lies about time.

An event is stamped as it is written, and happens only once the one before it is in the log: so however long the writer,
its client or the broker were made to wait, an order never lies there before the add to the cart that it empties.
librdkafka sends each partition by itself: a broker with too much to do had the orders of five seconds before the clicks
of the first. The verifier goes by time and found fault with beckon, which had folded what was there.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from connectors.murmur2 import partition
from tests.chaos.stories import LONGEST, stories

_DELIVERY_SECONDS = 60.0
LIFE_SECONDS = 900.0
_BEYOND_SECONDS = LONGEST + 5.0
_PROMPT_SECONDS = 1.0  # time.idle_after of the settings: a topic silent for longer no longer holds time back


class Workload:
    """The shop lives until `finish`. `acknowledged` records are in the log.

    `slowest_seconds`: the longest from an event's stamp until it is. Beckon rightly takes what is later than the
    settings allow for late, and may have said what the verifier, who goes by stamps, finds nobody should have said.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topics: dict[str, str],
        *,
        partitions: int,
        seed: int,
        users_per_second: float,
        life_seconds: float = LIFE_SECONDS,
    ) -> None:
        """There are stories for `life_seconds`; then nothing more happens."""
        self._topics, self._partitions = topics, partitions
        self._steps = stories(seed, life_seconds, users_per_second)
        self._offset = 0.0
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 0,  # nobody comes to share a request
                # By default up to 10 s: the first event after a broker's return was stamped, and 2 s later in the log.
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
                "message.timeout.ms": int(_DELIVERY_SECONDS * 1000),
                "log_level": 0,
            }
        )
        self._pen = threading.Lock()  # whoever holds it, nothing is written
        self._begun = self._stood_still = 0.0
        self._paused_at: float | None = None
        self._end = False
        self._thread = threading.Thread(target=self._write, name="workload", daemon=True)
        self._failed: list[str] = []
        self.acknowledged = 0
        self.slowest_seconds = 0.0

    def start(self) -> None:
        self._begun = time.monotonic()
        self._thread.start()

    def pause(self) -> None:
        """The shop stands still: what was written is in the log when this returns."""
        self._pen.acquire()
        self._paused_at = time.monotonic()
        self._flush()

    def resume(self) -> None:
        """Nothing happens to a shop that is open. It opens when its client has found the broker again."""
        if self._paused_at is not None:
            if not self._end:
                self._producer.list_topics(timeout=_DELIVERY_SECONDS)
            self._stood_still += time.monotonic() - self._paused_at
            self._paused_at = None
            self._pen.release()

    def shift_clock(self, seconds: float) -> None:
        """The shop's clock is so far from this machine's from now on."""
        self._offset = seconds

    def spoil(self, records: Iterable[tuple[str, bytes, bytes | None]]) -> None:
        """Write records (role, key, value) that are no events."""
        with self._pen:
            for role, key, value in records:
                self._produce(role, key.decode(), value, [("chaos", b"poison")])

    def finish(self) -> int:
        """Close the shop, and let every shard know that all timers are over; how many records."""
        self.abandon()
        self._flush()
        last = self._now() + round(_BEYOND_SECONDS * 1000)
        for user in users_of_every(self._partitions):
            event = {"event_id": f"end-{user}", "type": "session_started", "user_id": user, "ts": last}
            self._produce("clickstream", user, json.dumps(event).encode(), [])
        self._flush()
        return self.acknowledged

    def abandon(self) -> None:
        """Nothing more is written, whatever was to come. Nothing happens the second time."""
        self._end = True
        self.resume()
        if self._thread.is_alive():
            self._thread.join()

    def notes(self) -> dict[str, str]:
        """What is to be said beside a verdict."""
        slowest = self.slowest_seconds
        late = f"{slowest:.1f} s; by then time may have gone on without it"
        return {"the shop's slowest write": late} if slowest > _PROMPT_SECONDS else {}

    @property
    def _under_way(self) -> bool:
        """Was something written that is perhaps not in the log yet?"""
        return len(self._producer) > 0

    @property
    def _shop_seconds(self) -> float:
        return time.monotonic() - self._begun - self._stood_still

    def _now(self) -> int:
        return round((time.time() + self._offset) * 1000)

    def _write(self) -> None:
        stamped = 0
        for at, role, key, what in self._steps:
            while not self._end and (self._under_way or self._shop_seconds < at):
                self._producer.poll(0.002)
            with self._pen:
                if self._end:
                    return
                if isinstance(what, bytes):
                    self._produce(role, key, what, [("chaos", b"poison")])
                else:
                    stamped = max(
                        self._now(), stamped + 1
                    )  # no two at one instant: which is first must be clear
                    self._produce(role, key, json.dumps({**what, "ts": stamped}).encode(), [])

    def _produce(self, role: str, key: str, value: bytes | None, headers: list[Any]) -> None:
        self._producer.produce(self._topics[role], value, key, headers=headers, on_delivery=self._note)

    def _note(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.acknowledged += 1
            self.slowest_seconds = max(self.slowest_seconds, message.latency() or 0.0)
        else:
            self._failed.append(error.name())

    def _flush(self) -> None:
        left = self._producer.flush(_DELIVERY_SECONDS)
        assert not left, f"{left} records were not taken"
        assert not self._failed, self._failed


def users_of_every(partitions: int) -> list[str]:
    """One user of each partition."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < partitions:
        user = f"end{number}"
        found.setdefault(partition(user.encode(), partitions), user)
        number += 1
    return [found[part] for part in sorted(found)]
