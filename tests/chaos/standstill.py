"""How long did each shard stand still? Looked at from outside, in the store, while something happens elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self, cast

import redis

_EVERY_SECONDS = 0.02


class Standstill:
    """Inside the context, the longest time in which a shard read nothing; the shop must be writing all the while."""

    def __init__(self, redis_url: str, app: str, shards: int) -> None:
        self._url = redis_url
        self._keys = [f"{{{app}:s{shard:02d}}}:marks" for shard in range(shards)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="standstill", daemon=True)
        self.longest_seconds = [0.0] * shards

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def __str__(self) -> str:
        return "/".join(f"{seconds:.1f}" for seconds in self.longest_seconds) + " s"

    def _look(self) -> None:
        with redis.Redis.from_url(self._url) as client:
            known: list[object] = [None] * len(self._keys)
            moved_at = [time.monotonic()] * len(self._keys)
            while not self._over.wait(_EVERY_SECONDS):
                now = time.monotonic()
                for shard, key in enumerate(self._keys):
                    marks = cast("dict[bytes, bytes]", client.hgetall(key))
                    self.longest_seconds[shard] = max(self.longest_seconds[shard], now - moved_at[shard])
                    if marks != known[shard]:
                        known[shard], moved_at[shard] = marks, now
