"""How does a test run the real program? An installation: settings, topics or files, processes, state.

Each has an `app` of its own, so topics, consumer group, transactional ids and Redis keys never meet those of
another test on the same servers.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import msgspec
import redis
import yaml

from state.user import User, unpack
from tests.integration.running import Running
from tests.other_rules import others
from tests.servers.kafka import KafkaServer

BECKON = Path(sys.executable).with_name("beckon")
INPUTS = ("clickstream", "orders", "inventory", "customers", "engagement", "context")
Record = tuple[str, str, bytes]
"""Topic role, key, value."""

CART_ONLY: Mapping[str, Any] = {
    "policy": {"enabled": False},
    "rules": {
        "cart_abandoned": {"delay": "30m", "second_delay": None},
        **{rule: {"enabled": False} for rule in others("cart_abandoned")},
    },
}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`, sections key by key."""
    both = dict(base)
    for key, value in over.items():
        known = both.get(key)
        both[key] = (
            merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
        )
    return both


class Installation:
    """One set of settings and what runs by it. Leaving the context ends every process that still runs."""

    def __init__(self, directory: Path, settings: Mapping[str, Any]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.app = f"t{uuid.uuid4().hex[:8]}"
        base = {"app": self.app, "http": {"enabled": False}, "logs": {"format": "json"}}
        self.settings = merged(base, settings)
        self._processes: list[Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.end()
        slots = Path(tempfile.gettempdir()) / f"beckon-{self.app}-{os.getuid()}"
        shutil.rmtree(slots, ignore_errors=True)

    def change(self, settings: Mapping[str, Any]) -> None:
        """For the processes started from now on."""
        self.settings = merged(self.settings, settings)

    def start(self, *arguments: str | Path, environ: Mapping[str, str] | None = None) -> Running:
        """`beckon` with these arguments and this installation's settings, in its directory."""
        config = self.directory / "beckon.yaml"
        config.write_text(yaml.safe_dump(self.settings))
        command = [str(BECKON), *map(str, arguments), "--config", str(config)]
        log = self.directory / f"process-{len(self._processes)}.log"
        process = Running(command, log, self.directory, {**os.environ, **(environ or {})})
        self._processes.append(process)
        return process

    def run(self, *arguments: str | Path, seconds: float = 120.0) -> str:
        """To its end, which must be a good one; what it said."""
        process = self.start(*arguments)
        code = process.wait(seconds)
        assert code == 0, f"beckon {arguments[0]} ended with {code}:\n{process.said()}"
        return process.said()

    def fails(self, *arguments: str | Path, seconds: float = 60.0) -> tuple[int, str]:
        """To its end; (exit code, what it said)."""
        process = self.start(*arguments)
        return process.wait(seconds), process.said()

    # state

    @property
    def redis_url(self) -> str:
        """The configured Redis, or the embedded one of the process that runs."""
        configured = self.settings.get("redis", {}).get("url")
        return configured or (self.directory / "var" / "state" / "redis.url").read_text().strip()

    def marks(self) -> int:
        """How many input records are in the state; 0 while nobody can be asked."""
        shards = self.settings.get("kafka", {}).get("partitions", 1)
        try:
            with redis.Redis.from_url(self.redis_url) as client:
                keys = [f"{{{self.app}:s{shard:02d}}}:marks" for shard in range(shards)]
                found = [cast("dict[bytes, bytes]", client.hgetall(key)) for key in keys]
        except (OSError, redis.RedisError):
            return 0
        return sum(
            int(offset) + 1
            for marks in found
            for lane, offset in marks.items()
            if not lane.startswith(b"letters")
        )

    def users(self, url: str = "") -> dict[str, User]:
        """Everybody in Redis; `url` where the service's own is gone."""
        with redis.Redis.from_url(url or self.redis_url) as client:
            keys = [*client.scan_iter(match=f"{{{self.app}:s*}}:u:*", count=1000)]
            blobs = cast("list[bytes]", client.mget(keys)) if keys else []
        users = [unpack(blob) for blob in blobs]
        assert len({user.user_id for user in users}) == len(users), "a user lives in two shards"
        return {user.user_id: user for user in users}

    def kept(self) -> Iterator[bytes]:
        """Every key in Redis, and every value as it lies there."""
        with redis.Redis.from_url(self.redis_url) as client:
            for name in client.scan_iter(match=f"{{{self.app}*", count=1000):
                yield name
                match client.type(name):
                    case b"string":
                        yield cast("bytes", client.get(name))
                    case b"hash":
                        for pair in cast("dict[bytes, bytes]", client.hgetall(name)).items():
                            yield from pair
                    case b"zset":
                        yield from cast("list[bytes]", client.zrange(name, 0, -1))
                    case b"list":
                        yield from cast("list[bytes]", client.lrange(name, 0, -1))
                    case other:
                        assert other == b"set"
                        yield from cast("set[bytes]", client.smembers(name))

    def timers(self) -> dict[str, int]:
        """Who sleeps until when, of all shards."""
        with redis.Redis.from_url(self.redis_url) as client:
            found: dict[str, int] = {}
            for key in client.scan_iter(match=f"{{{self.app}:s*}}:timers", count=1000):
                sleeping = cast("list[tuple[bytes, float]]", client.zrange(key, 0, -1, withscores=True))
                found |= {user.decode(): int(due) for user, due in sleeping}
            return found

    def outbox(self) -> int:
        """Entries that nobody has taken out yet."""
        with redis.Redis.from_url(self.redis_url) as client:
            keys = client.scan_iter(match=f"{{{self.app}:s*}}:outbox", count=1000)
            return sum(cast("int", client.llen(key)) for key in keys)


def eventually(holds: Callable[[], object], seconds: float = 60.0, *, what: str = "it") -> None:
    """Ask until it holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.01)


def write_history(directory: Path, records: Iterable[Record]) -> None:
    """As the input of `beckon replay`, and of a file log with one partition."""
    directory.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[bytes]] = {}
    for role, _, value in records:
        lines.setdefault(role, []).append(value)
    for role, values in lines.items():
        (directory / f"{role}.jsonl").write_bytes(b"\n".join(values) + b"\n")


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON lines file."""
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def replayed(
    directory: Path, records: Iterable[Record], settings: Mapping[str, Any], *arguments: str
) -> Path:
    """Run `beckon replay` over the records; the folder with what came out."""
    write_history(directory / "history", records)
    with Installation(directory, settings) as installation:
        installation.run("replay", directory / "history", directory / "out", *arguments)
    return directory / "out"


def kafka_settings(app: str, kafka: KafkaServer, redis_url: str, partitions: int) -> dict[str, Any]:
    roles = (*INPUTS, "letters", "journal", "triggers", "decisions", "dead_letters")
    return {
        "source": "kafka",
        "redis": {"url": redis_url},
        "kafka": {
            "bootstrap_servers": kafka.bootstrap_servers,
            "group_id": app,
            "partitions": partitions,
            "topics": {role: f"{app}.{role}" for role in roles},
        },
    }
