"""What is wrong here, and which command mends it? All that `check` looks at, and what runs: `beckon doctor`."""

from __future__ import annotations

import http.client
import json
import platform
import shutil
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from config.settings import Settings
from console.check import Finding, findings_of
from state.calendar import MINUTE

if TYPE_CHECKING:
    import redis

_VERSIONS: Final = ("bytewax", "confluent-kafka", "redis", "msgspec")
_ASK_SECONDS: Final = 3.0
_HEAD_SECONDS: Final = 2.0  # a healthy process sends an entry within milliseconds of its commit
_CLOCK_LIMIT_MS: Final = (
    1000  # event time is believed only as far as events bear the clock out; a second is harmless
)
_WATERMARK_LIMIT_MS: Final = 10 * MINUTE  # as the alert WatermarkStalled
_MEMORY_SHARE: Final = 0.8  # as the alert StateNearLimit
_FREE_SHARE: Final = 0.05
_SLOW_MS: Final = 50.0  # of one question to Redis; docs/operations.md calls a commit slow from there


def examine(settings: Settings) -> Iterator[Finding]:
    """One by one, as they are found. Of a server that does not answer nothing more is asked."""
    ill: set[str] = set()
    yield _versions()
    for finding in findings_of(settings):
        if not finding.good:
            ill.add(finding.subject)
        yield finding
    members = 0
    if settings.source.kind == "kafka" and "kafka" not in ill and "topics" not in ill:
        from console.doctor_kafka import brokers_examined, group_members

        members = group_members(settings)
        yield from brokers_examined(settings, members)
    if settings.state.kind == "redis" and "redis" not in ill:
        yield from _state(settings, members)
    if "topics" not in ill and "kafka" not in ill:
        yield from _dead_letters(settings)
    yield from _disks(settings)
    yield from _process(settings)


def _versions() -> Finding:
    parts = ", ".join(f"{name} {version(name)}" for name in _VERSIONS)
    return Finding(
        "versions", True, f"beckon {version('beckon')}, Python {platform.python_version()}, {parts}"
    )


def _state(settings: Settings, members: int) -> Iterator[Finding]:
    import redis

    from flows import profiles
    from flows.redis_access import redis_client
    from state.redis_ledger import StoreUnavailable

    try:
        url = profiles.state_url(settings)
    except profiles.NoState as error:
        yield Finding("note", True, f"state: {error}")
        return
    try:
        with redis_client(settings, url) as client:
            yield from _store(client)
            yield from _shards(settings, client, url, members)
    except (redis.RedisError, StoreUnavailable) as error:
        yield Finding("state", False, f"Redis does not answer all questions: {error}", "see `beckon check`")


def _store(client: redis.Redis) -> Iterator[Finding]:
    """Speed, clock, memory, and whether it still writes to its disk."""
    asked_at = time.time()
    seconds, micros = client.time()
    took_ms = (time.time() - asked_at) * 1000
    apart_ms = abs((seconds + micros / 1e6) - asked_at) * 1000 - took_ms
    if apart_ms > _CLOCK_LIMIT_MS:
        mend = "set both clocks by NTP: timedatectl set-ntp true"
        yield Finding("clock", False, f"Redis' machine and this one are {apart_ms / 1000:.1f} s apart", mend)
    else:
        yield Finding("clock", True, "as Redis' machine has it")
    if took_ms > _SLOW_MS:
        mend = "a Redis nearer by, or less busy: redis-cli --latency; redis-cli SLOWLOG GET"
        yield Finding("redis", False, f"one question took {took_ms:.0f} ms: every commit takes as long", mend)
    said = client.info("memory") | client.info("persistence")
    used, limit = int(said["used_memory"]), int(said.get("maxmemory", 0))
    if limit and used > _MEMORY_SHARE * limit:
        text = f"{used / limit:.0%} of its memory is used; when it is full, beckon waits"
        yield Finding(
            "redis", False, text, "redis-cli CONFIG SET maxmemory <more>, or a shorter redis.user_ttl"
        )
    for name, what in (("aof_last_write_status", "append only file"), ("rdb_last_bgsave_status", "snapshot")):
        if said.get(name, "ok") != "ok":
            mend = "look at its log and its disk: df -h"
            yield Finding("redis", False, f"it could not write its {what}", mend)


def _shards(settings: Settings, client: redis.Redis, url: str, members: int) -> Iterator[Finding]:
    from flows.profiles import ledger_beside

    with ledger_beside(settings, url) as ledger:
        recorded = ledger.recorded()
        shards = int(recorded.get("shards", 0))
        if not shards:
            yield Finding("state", True, f"app {settings.app} has none yet")
            return
        yield Finding("state", True, f"app {settings.app}, {shards} shards, layout {recorded.get('layout')}")
        watermarks = [ledger.peek(shard).watermark for shard in range(shards)]
    yield from _outbox(settings, client, shards)
    begun = [mark for mark in watermarks if mark >= 0]
    behind_ms = time.time() * 1000 - min(begun, default=time.time() * 1000)
    if members and behind_ms > _WATERMARK_LIMIT_MS:
        text = f"a shard's time is {behind_ms / MINUTE:.0f} min behind: its timers wait"
        yield Finding("time", False, text, "see WatermarkStalled in docs/operations.md")


def _outbox(settings: Settings, client: redis.Redis, shards: int) -> Iterator[Finding]:
    """What waits in Redis for its topic, and whether it gets on."""
    keys = [f"{{{settings.app}:s{shard:02d}}}:outbox" for shard in range(shards)]

    def heads() -> list[object]:
        return [cast("list[bytes]", client.lrange(key, 0, 0)) for key in keys]

    before = heads()
    if not any(before):
        yield Finding("outbox", True, "empty: all that was decided is out")
        return
    time.sleep(_HEAD_SECONDS)
    after = heads()
    stuck = [shard for shard in range(shards) if before[shard] and before[shard] == after[shard]]
    waiting: int = sum(client.llen(key) for key in keys)
    if stuck:
        text = f"{waiting} messages are decided and not out, and those of {len(stuck)} shards do not move"
        yield Finding(
            "outbox", False, text, "start `beckon run`; if it runs: OutboxStuck in docs/operations.md"
        )
    else:
        yield Finding("outbox", True, f"{waiting} messages on their way out")


def _dead_letters(settings: Settings) -> Iterator[Finding]:
    from connectors.log import LogError
    from flows import redrive

    try:
        found = redrive.listed(settings, redrive.Wanted(), 1, lambda *_: None)
    except LogError as error:
        yield Finding("dead letters", False, str(error))
        return
    if not found.waiting:
        yield Finding("dead letters", True, "none waits")
        return
    kinds = ", ".join(f"{kind.topic} {kind.reason} {count}" for kind, count in found.waiting.most_common(5))
    text = f"{found.waiting.total()} dead letters wait: {kinds}"
    yield Finding("note", True, text, "beckon dlq list; once mended: beckon dlq redrive")


def _disks(settings: Settings) -> Iterator[Finding]:
    """Only where we keep something ourselves."""
    places = {settings.files.directory} if "files" in (settings.source.kind, settings.sink.kind) else set()
    if settings.state.kind == "redis" and not settings.redis.url:
        places.add(settings.state.directory)
    for place in sorted(places):
        if Path(place).is_dir() and (disk := shutil.disk_usage(place)).free < _FREE_SHARE * disk.total:
            text = f"{place}: {disk.free / 1e9:.1f} GB are free"
            yield Finding("disk", False, text, f"make room: du -sh {place}/*")


def _process(settings: Settings) -> Iterator[Finding]:
    """The process that these settings would start: is one there, and how does it say it is?"""
    if not settings.http.enabled or not settings.http.port:
        return
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.http.bind, settings.http.bind)  # noqa: S104
    for path, mend in (("/healthz", "CommitStale"), ("/readyz", "NotReady")):
        answer = _asked(host, settings.http.port, path)
        if answer is None:
            yield Finding("note", True, f"no process answers at {host}:{settings.http.port}", "beckon run")
            return
        good, why = answer
        yield Finding("process", good, f"{path}: {why}", "" if good else f"see {mend} in docs/operations.md")


def _asked(host: str, port: int, path: str) -> tuple[bool, str] | None:
    connection = http.client.HTTPConnection(host, port, timeout=_ASK_SECONDS)
    try:
        connection.request("GET", path)
        said = json.loads(connection.getresponse().read())
        return bool(said["ok"]), str(said["why"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
