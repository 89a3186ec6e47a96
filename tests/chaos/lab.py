"""Which servers does a chaos run use, and how is one round of it set up, told and cleared away?"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.chaos.network import ProxyProcess
from tests.chaos.outcome import Outcome, Point
from tests.chaos.stage import Stage
from tests.integration.installation import merged
from tests.servers.kafka import KafkaServer
from tests.servers.ports import free_port
from tests.servers.redis import RedisServer


class Lab:
    """A broker and a store for all rounds, made when first asked for; a row that breaks one has its own."""

    def __init__(self, seed: int, guarantee: str, *, keep: bool = False) -> None:
        """`keep`: the logs of rounds that were clean, too."""
        self.seed, self.guarantee = seed, guarantee
        self._keep = keep
        self._stack = ExitStack()
        self._kafka: KafkaServer | None = None
        self._redis: RedisServer | None = None
        self._rounds = 0
        self.directory = Path(tempfile.mkdtemp(prefix="beckon-chaos-"))
        self.outcomes: list[Outcome] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        if not self._keep and kind is None and all(outcome.clean for outcome in self.outcomes):
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def kafka(self) -> KafkaServer:
        if self._kafka is None:
            self._kafka = self._stack.enter_context(KafkaServer())
        return self._kafka

    @property
    def redis(self) -> RedisServer:
        if self._redis is None:
            self._redis = self._stack.enter_context(RedisServer(self.directory / "redis"))
        return self._redis

    @contextmanager
    def own_redis(self) -> Iterator[RedisServer]:
        """A store that the row may break."""
        with RedisServer(Path(tempfile.mkdtemp(dir=self.directory, prefix="redis-"))) as server:
            yield server

    @contextmanager
    def proxied_kafka(self) -> Iterator[tuple[KafkaServer, ProxyProcess]]:
        """A broker, and a proxy before it that knows its language."""
        port = free_port()
        with (
            KafkaServer(proxy_port=port) as server,
            ProxyProcess(server.behind_proxy, seed=self.seed, kafka=True, port=port) as proxy,
        ):
            yield server, proxy

    @contextmanager
    def stage(
        self,
        row: str,
        *,
        settings: Mapping[str, Any] | None = None,
        through: Mapping[str, Any] | None = None,
        kafka: KafkaServer | None = None,
        redis: RedisServer | None = None,
        users_per_second: float = 15.0,
    ) -> Iterator[Stage]:
        self._rounds += 1
        seed = self.seed * 1000 + self._rounds
        directory = self.directory / f"row-{row}-seed-{seed}"
        chosen = merged({"delivery": {"guarantee": self.guarantee}}, settings or {})
        with Stage(
            directory,
            kafka or self.kafka,
            redis or self.redis,
            row=row,
            seed=seed,
            settings=chosen,
            through=through or {},
            tell=say_point,
            users_per_second=users_per_second,
        ) as stage:
            yield stage
        if kafka is None:
            self.kafka.delete_topics(list(stage.shop.topics.values()))

    def keep(self, outcome: Outcome) -> None:
        """Tell what came of a round."""
        self.outcomes.append(outcome)
        checked = outcome.verdict.get("checked", {})
        counts = {"records": outcome.verdict.get("records", 0), **checked}
        seen = ", ".join(f"{counts.get(what, 0)} {what}" for what in ("records", "triggers", "users"))
        wrong = outcome.verdict.get("counts") or ""
        say(f"row {outcome.row:>3}  seed {outcome.seed}  VERDICT {outcome.word}: {seen} {wrong}".rstrip())
        if outcome.clean:
            return
        for kind, found in outcome.verdict.get("found", {}).items():
            for what in found:
                say(f"          {kind}: {what[:240]}")
        say(f"          logs in {self.directory}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def say_point(point: Point) -> None:
    took = "       " if point.recovery_seconds is None else f"{point.recovery_seconds:5.2f} s"
    trouble = f"  TROUBLE {point.trouble}" if point.trouble else ""
    say(f"row {point.row:>3}  seed {point.seed}  {took}  {point.what}{trouble}")


Row = Callable[[Lab, int], Iterator[Outcome]]
"""One row of the fault matrix: so many points in a lab, a round at a time."""


def rounds_of(points: int, per_round: int) -> Iterator[int]:
    """How many points each round has."""
    while points > 0:
        yield min(points, per_round)
        points -= per_round
