"""Where does each partition end, and as of when? Asked of the broker in the background, answered when it is known.

librdkafka tells once that a partition was read to its end, not that this is still so: after a pause of ours, or
while the broker cannot be reached, that word is old, and whatever was written meanwhile is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from connectors.answers import forget_frames

_REQUEST_SECONDS = 2.0
_FAILED_SECONDS = 1.0
Place = tuple[str, int]
"""(topic, partition)"""


def high_watermarks(admin: AdminClient, places: Sequence[Place]) -> dict[Place, Future[Any]]:
    """Ends whatever is pending below them: a read_committed reader would be told less."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = admin.list_offsets(
        {TopicPartition(*place): latest for place in places},
        isolation_level=IsolationLevel.READ_UNCOMMITTED,
        request_timeout=_REQUEST_SECONDS,
    )
    for answer in asked.values():
        answer.add_done_callback(forget_frames)  # also of one that nobody waits for any more
    return {(place.topic, place.partition): answer for place, answer in asked.items()}


class Ends:
    """One question at a time; `every_seconds` is the least time between two.

    `unanswered`: so many in a row, up to now, got no answer about any partition.
    """

    def __init__(self, config: Mapping[str, Any], every_seconds: float) -> None:
        self._config = {"log_level": 0, **config}  # of a broker that is away the consumer says enough
        self._admin = AdminClient(self._config)
        self._every = every_seconds
        self._asked_at = float("-inf")
        self._failed = False
        self._pending: dict[Place, Future[Any]] = {}
        self.unanswered = 0

    def may_ask(self, now: float) -> bool:
        """Not while a question is open or has just been asked."""
        if self._pending and now - self._asked_at > 2 * _REQUEST_SECONDS:
            self.unanswered += 1  # it should have failed long ago
            self._begin_again()
        wait = _FAILED_SECONDS if self._failed else self._every
        return not self._pending and now - self._asked_at >= wait

    def ask(self, places: Sequence[Place], now: float) -> None:
        if places:
            self._asked_at = now
            self._pending = high_watermarks(self._admin, places)

    def answer(self) -> tuple[float, dict[Place, int]] | None:
        """When it was asked, and the ends then; None while nothing new is known."""
        if not self._pending or not all(future.done() for future in self._pending.values()):
            return None
        pending, self._pending = self._pending, {}
        found = {}
        self._failed = False
        for place, future in pending.items():
            failure = future.exception()
            if failure is None:
                found[place] = future.result().offset
            elif isinstance(failure, KafkaException):
                self._failed = True  # no word from the broker: what is not known proves nothing
            else:
                raise failure
        self.unanswered = 0 if found else self.unanswered + 1
        if self._failed:
            self._begin_again()
        return self._asked_at, found

    def _begin_again(self) -> None:
        """librdkafka asks with the leader epochs it knows, and does not learn new ones from being refused for them."""
        self._pending, self._failed, self._admin = {}, True, AdminClient(self._config)
