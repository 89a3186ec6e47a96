"""What happens in a soak? A shop that goes on, two processes of beckon, and a fault at random every half minute.

One process is never killed: of it a leak would be seen. The other one is, and begins anew each time.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import redis

from tests.chaos.outcome import Outcome
from tests.chaos.stage import PARTITIONS, Stage
from tests.chaos.worker import Worker
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer
from tests.soak.sampler import Sampler, resident_bytes

STEADY: Final = "beckon, never killed"
KILLED: Final = "beckon, killed now and then"
SAMPLED_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = (15.0, 45.0)  # between faults, once all is well again
_USERS_PER_SECOND: Final = 15.0
_ALLOWED_SECONDS: Final = 60.0
_RESTARTS: Final = 3
_BROKEN_COORDINATOR: Final = "is out of sync with the underlying log"  # why: kafka_properties.py
_SETTINGS: Mapping[str, Any] = {
    "state": {
        "kind": "redis",
        "cached_users": 200,
    },  # and as many items: reached in minutes, so what is cached is full after the warm-up
    "engine": {"census_every": "5s"},
}


class Scene:
    """`faults` are counted by name; `stage.points` tell of each."""

    def __init__(
        self, directory: Path, kafka: KafkaServer, store: RedisServer, *, seed: int, seconds: float, tell: Any
    ) -> None:
        self._seconds = seconds
        self._kafka, self._store = kafka, store
        self._client = redis.Redis.from_url(store.url, socket_timeout=1)
        self.stage = Stage(
            directory,
            kafka,
            store,
            row="soak",
            seed=seed,
            settings=_SETTINGS,
            through={},
            tell=tell,
            users_per_second=_USERS_PER_SECOND,
            life_seconds=seconds + 600,
        )
        self._faults: dict[str, Callable[[], None]] = {
            "kill -9 of a process": self._kill,
            "SIGSTOP of a process": self._freeze,
            "kill -9 of Redis": self._kill_redis,
            "kill -9 of the broker": self._kill_broker,
        }
        self.broken_brokers = 0
        self.sampler = Sampler(self._sizes, SAMPLED_SECONDS)

    def run(self) -> Outcome:
        """To the end, verdict included."""
        stage = self.stage
        with stage:
            stage.begin(workers=2)
            with self.sampler:
                until = time.monotonic() + self._seconds
                while time.monotonic() < until:
                    self._undisturbed(min(stage.rng.uniform(*_PAUSE_SECONDS), until - time.monotonic()))
                    name = stage.rng.choice(sorted(self._faults))
                    self._faults[name]()
                    stage.note(name, self._recovery_seconds(), limit=_ALLOWED_SECONDS)
            return stage.conclude()

    # faults

    def _kill(self) -> None:
        self.stage.kill([self._victim])

    def _freeze(self) -> None:
        worker = self.stage.rng.choice(self.stage.workers)
        worker.freeze()
        self._undisturbed(self.stage.rng.uniform(1.0, 12.0))
        worker.thaw()

    def _kill_redis(self) -> None:
        self._store.kill()
        self._undisturbed(self.stage.rng.uniform(0.0, 3.0))
        self._store.start()

    def _kill_broker(self) -> None:
        # A shop that is open but cannot write would have all of that time's events at once.
        self.stage.workload.pause()
        self._kafka.kill()
        self._undisturbed(self.stage.rng.uniform(0.0, 3.0))
        for _ in range(_RESTARTS):  # on a busy machine a broker may take longer than a start is given
            with contextlib.suppress(TimeoutError):
                self._kafka.restart()
                break
        self.stage.workload.resume()

    def _recovery_seconds(self) -> float:
        """Of ours. A broker that is of no use to anybody is started once more first."""
        seconds = self.stage.await_progress(_ALLOWED_SECONDS)
        if seconds > _ALLOWED_SECONDS and _BROKEN_COORDINATOR in self._kafka.said():
            self.broken_brokers += 1
            self._kill_broker()
            seconds = self.stage.await_progress(_ALLOWED_SECONDS)
        return seconds

    def _undisturbed(self, seconds: float) -> None:
        threading.Event().wait(max(0.0, seconds))

    # what is seen

    @property
    def _victim(self) -> Worker:
        """The younger one; the older one stays as long as it lives."""
        return self.stage.workers[-1]

    def _sizes(self) -> dict[str, float | None]:
        workers = list(self.stage.workers)
        found: dict[str, float | None] = {}
        if workers:
            found[STEADY] = resident_bytes(workers[0].pid)
        if len(workers) > 1:
            found[KILLED] = resident_bytes(workers[-1].pid)
        with contextlib.suppress(OSError, redis.RedisError):  # killed a moment ago
            found |= self._queues()
        return found

    def _queues(self) -> dict[str, float | None]:
        app = self.stage.shop.app
        keys = [f"{{{app}:s{shard:02d}}}:" for shard in range(PARTITIONS)]
        outbox: int = sum(self._client.llen(f"{key}outbox") for key in keys)
        timers: int = sum(self._client.zcard(f"{key}timers") for key in keys)
        memory = self._client.info("memory")["used_memory"]
        reached = sum(self.stage.reached())
        lag = self.stage.workload.acknowledged - reached if reached else None
        return {
            "records not read yet": lag,
            "messages in the outbox": outbox,
            "timers": timers,
            "Redis": memory,
        }
