"""What stands on the stage of a chaos run? A shop, beckon's processes, the faults done to them, and the verdict."""

from __future__ import annotations

import json
import operator
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from redis import Redis, RedisError

from tests.chaos.outcome import Outcome, Point
from tests.chaos.settings import SETTINGS
from tests.chaos.standstill import Standstill
from tests.chaos.stories import DELAYS
from tests.chaos.verifier import Topics
from tests.chaos.worker import Worker, last_words
from tests.chaos.workload import LIFE_SECONDS, Workload
from tests.integration.installation import merged
from tests.integration.shop import KafkaShop
from tests.integration.test_status import ask
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

PARTITIONS = 4
_HOPELESS_SECONDS = 90.0
_DRAIN_SECONDS = 20.0
_ATTEMPTS = 6
_OPENING_SECONDS = 2.0


class Stage:
    """One round: topics, group and state of its own. Leaving it ends every process."""

    def __init__(
        self,
        directory: Path,
        kafka: KafkaServer,
        redis: RedisServer,
        *,
        row: str,
        seed: int,
        settings: Mapping[str, Any],
        through: Mapping[str, Any],
        tell: Callable[[Point], None],
        users_per_second: float = 15.0,
        life_seconds: float = LIFE_SECONDS,
    ) -> None:
        """`through`: settings for beckon alone, where it goes through a proxy and we do not."""
        self.row, self.seed, self.rng = row, seed, random.Random(seed)
        self.directory, self.kafka, self.redis = directory, kafka, redis
        everything = merged(SETTINGS, settings)
        self.shop = KafkaShop(directory, kafka, redis.url, everything, partitions=PARTITIONS)
        self.through, self._tell = through, tell
        self.environ: dict[str, str] = {}
        self.workers: list[Worker] = []
        self.points: list[Point] = []
        self.notes: dict[str, str] = {}
        self._ended: list[str] = []
        self._started = 0
        self.shop.create_topics()
        self.workload = Workload(
            kafka.bootstrap_servers,
            self.shop.topics,
            partitions=PARTITIONS,
            seed=seed,
            users_per_second=users_per_second,
            life_seconds=life_seconds,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.workload.abandon()
        for worker in self.workers:
            worker.end_at_once()
        self.shop.__exit__(kind, error, trace)

    # processes

    def start(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Worker:
        self._started += 1
        name = f"worker-{self._started}"
        settings = merged(self.shop.settings, self.through)
        named = {**self.environ, **(environ or {})}
        worker = Worker(self.directory, name, settings, "run", *arguments, environ=named)
        self.workers.append(worker)
        return worker

    def command(self, name: str) -> tuple[int, str]:
        """Another command of beckon, to its end: exit code, and what it said."""
        settings = merged(self.shop.settings, self.through)
        process = Worker(self.directory, name, settings, name, environ=self.environ)
        return process.wait(_HOPELESS_SECONDS), process.said()

    def move_to(self, redis: RedisServer) -> None:
        """The state is in another server from now on."""
        self.redis = redis
        self.shop.change({"redis": {"url": redis.url}})

    def begin(self, workers: int = 1, *, environ: Mapping[str, str] | None = None) -> None:
        """The shop opens, beckon runs, and every rule has something to wait for."""
        for _ in range(workers):
            self.start(environ=environ)
        self.workload.start()
        self.await_progress()
        if workers > 1:
            self.eventually(lambda: len(self.members()) == workers, _HOPELESS_SECONDS)
        time.sleep(_OPENING_SECONDS)

    def kill(self, victims: Sequence[Worker]) -> None:
        """SIGKILL, all at one moment, and start as many again."""
        victims = list(victims)
        for victim in victims:
            victim.kill()
        for victim in victims:
            self.drop(victim)
        for _ in victims:
            self.start()

    def drop(self, worker: Worker) -> None:
        """It has ended, or is to end now."""
        worker.end_at_once()
        self.workers.remove(worker)

    def revive(self) -> list[str]:
        """Start again, as a supervisor would, what ended by itself; why each did."""
        reasons = []
        for worker in [w for w in self.workers if not w.runs]:
            reasons.append(f"{worker.name} ended with {worker.exit_code}: {last_words(worker)}")
            self.drop(worker)
            self.start()
        return reasons

    # time

    def wait(self, shortest: float, longest: float) -> None:
        time.sleep(self.rng.uniform(shortest, longest))

    def await_progress(self, allowed_seconds: float = _HOPELESS_SECONDS) -> float:
        """Until the state holds all that is in the log now, and every shard goes on.

        How long that took; inf if it never came to it. Who ends meanwhile is started again; the next note tells.
        """
        wanted, begun = max(1, self.workload.acknowledged), time.monotonic()
        before = self.reached()
        while True:
            now = self.reached()
            if sum(now) >= wanted and all(map(operator.gt, now, before)):
                return time.monotonic() - begun
            if time.monotonic() - begun > allowed_seconds:
                return float("inf")
            self._ended += self.revive()
            time.sleep(0.02)

    def reached(self) -> list[int]:
        """How many input records are in the state of each shard; zeros while nobody can be asked."""
        keys = [f"{{{self.shop.app}:s{shard:02d}}}:marks" for shard in range(PARTITIONS)]
        try:
            with Redis.from_url(self.redis.url, socket_timeout=2) as client:
                found = [cast("dict[bytes, bytes]", client.hgetall(key)) for key in keys]
        except (OSError, RedisError):
            return [0] * PARTITIONS
        return [
            sum(int(offset) + 1 for lane, offset in marks.items() if not lane.startswith(b"letters"))
            for marks in found
        ]

    def eventually(self, holds: Callable[[], object], allowed_seconds: float) -> bool:
        deadline = time.monotonic() + allowed_seconds
        while not holds():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def standstill(self) -> Standstill:
        return Standstill(self.redis.url, self.shop.app, PARTITIONS)

    def members(self) -> list[int]:
        """How many shards each member of the group has, as Kafka's own tools show it."""
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap_servers, "log_level": 0})
        try:
            found = admin.describe_consumer_groups([self.shop.app])[self.shop.app].result(30).members
        except KafkaException:  # its coordinator is not up yet
            return []
        return sorted(len(member.assignment.topic_partitions) for member in found if member.assignment)

    def has_shards(self, worker: Worker) -> bool:
        """Wait until it says so; the group counts a static member that is gone as present for a while."""
        return self.eventually(lambda: "shards gained" in worker.said(100_000), _HOPELESS_SECONDS)

    def undone(self) -> int:
        """How many records the group's offsets are behind the state, once nobody works."""
        topics = Topics(self.kafka.bootstrap_servers, self.shop.app, self.shop.topics)
        return abs(sum(self.reached()) - sum(topics.committed(topics.ends()).values()))

    def well(self, port: int) -> tuple[bool, bool]:
        """What a supervisor would see at /healthz and at /readyz."""
        return ask(port, "/healthz")[0] == HTTPStatus.OK, ask(port, "/readyz")[0] == HTTPStatus.OK

    # verdicts

    def note(
        self,
        what: str,
        recovery_seconds: float | None = None,
        trouble: str = "",
        *,
        limit: float = _HOPELESS_SECONDS,
    ) -> None:
        """`limit`: a slower recovery is trouble, and so is a process that ended by itself."""
        more = [f"and {len(self._ended) - 1} more"] if len(self._ended) > 1 else []
        trouble = "; ".join(filter(None, [trouble, *self._ended[:1], *more]))
        self._ended.clear()
        if recovery_seconds is not None and recovery_seconds > limit:
            trouble = f"{trouble} recovery took {recovery_seconds:.1f} s, {limit:.0f} s are allowed".strip()
        self.points.append(Point(self.row, self.seed, what, recovery_seconds, trouble))
        self._tell(self.points[-1])

    def _tell_of_the_end(self, trouble: str) -> None:
        self.points.append(Point(self.row, self.seed, "the end", trouble=trouble, fault=False))
        self._tell(self.points[-1])

    def conclude(self, *, drain_seconds: float = _DRAIN_SECONDS) -> Outcome:
        """Let the shop close, the processes drain, one read what is left, and the verifier judge."""
        total = self.workload.finish()
        self.notes |= self.workload.notes()
        for worker in self.workers:
            if worker.runs:
                worker.terminate()
        for worker in self.workers:
            try:
                code = worker.wait(drain_seconds)
            except AssertionError:
                self._tell_of_the_end(f"{worker.name} did not drain: {last_words(worker)}")
                continue
            if code != 0 and worker.said():  # told to end before it said a word, it had not begun
                self._tell_of_the_end(f"{worker.name} ended with {code}: {last_words(worker)}")
        self._read_the_rest(total)
        return Outcome(self.row, self.seed, self.points, self.judge(), self.notes)

    def _read_the_rest(self, total: int) -> None:
        """More than once where the group still waits for a member that is gone: timers show whose shards nobody had."""
        for _ in range(_ATTEMPTS):
            worker = self.start("--until-caught-up")
            try:
                code = worker.wait(_HOPELESS_SECONDS)
            except AssertionError:
                code = -1
            if code != 0:
                self._tell_of_the_end(f"reading the rest ended with {code}: {last_words(worker)}")
                return
            if sum(self.reached()) >= total and not self.shop.outbox() and not self.shop.timers():
                return
            time.sleep(1.0)

    def judge(self) -> dict[str, Any]:
        task = self.directory / "task.json"
        said = {
            "bootstrap_servers": self.kafka.bootstrap_servers,
            "redis_url": self.redis.url,
            "app": self.shop.app,
            "topics": self.shop.topics,
            "guarantee": self.shop.settings.get("delivery", {}).get("guarantee", "exactly_once"),
            "delays": {name: round(delay * 1000) for name, delay in DELAYS.items()},
        }
        task.write_text(json.dumps(said))
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.verifier", str(task)],
            capture_output=True,
            text=True,
            check=False,
        )
        (self.directory / "verdict.json").write_text(done.stdout)
        if not done.stdout:
            return {"clean": False, "found": {"verifier": [done.stderr[-2000:]]}, "counts": {"verifier": 1}}
        verdict: dict[str, Any] = json.loads(done.stdout)
        return verdict
