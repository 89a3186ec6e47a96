"""What is known of one round with the broker? Whether it is over, what it raised, where its journal records lie."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError


class UnderWay:
    """One round; over at once unless it is `ended` aside. `noted`: where its journal records begin, by shard."""

    def __init__(self) -> None:
        self.error: KafkaError | None = None  # an exception would hold the frames that hold this
        self.noted: dict[int, int] = {}
        self.ended: Future[None] | None = None
        self.until = 0.0

    @property
    def is_over(self) -> bool:
        return self.ended is None or self.ended.done() or time.monotonic() >= self.until

    def end(self) -> None:
        """Wait for it; raises what it raised, or TimeoutError."""
        ended, self.ended = self.ended, None
        try:
            if ended is not None:
                ended.result(max(0.0, self.until - time.monotonic()))
        finally:
            del ended  # what it raises would hold it, and so itself, and a producer

    def delivered(self, error: KafkaError | None, _: Any) -> None:
        if error is not None and self.error is None:
            self.error = error

    def note(self, error: KafkaError | None, message: Any) -> None:
        self.delivered(error, message)
        if error is None:
            # The first of them: reports come in the order of the log.
            self.noted.setdefault(message.partition(), message.offset())
