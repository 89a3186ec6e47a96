"""Would `beckon run` work here? Configuration, Redis, brokers, topics: each found good, or how to mend it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from config.load import notes_of, redacted_url
from config.settings import Settings

_ANSWER_SECONDS: Final = 5.0


class Finding(Struct, frozen=True):
    """`mend`: the command or setting that helps; empty where all is well."""

    subject: str
    good: bool
    text: str
    mend: str = ""

    def __str__(self) -> str:
        verdict = "ok     " if self.good else "problem"
        return f"{verdict}  {self.subject}: {self.text}" + (
            f"\n         mend: {self.mend}" if self.mend else ""
        )


def findings_of(settings: Settings) -> Iterator[Finding]:
    """One by one, as they are found: a server that does not answer takes seconds."""
    on = {name: params for name, params in settings.rules.items() if params.enabled}
    rules = [name if params.mode == "live" else f"{name} (in shadow)" for name, params in on.items()]
    yield Finding("configuration", True, f"{len(rules)} rules on: {', '.join(rules)}")
    for note in notes_of(settings):
        yield Finding("note", True, note)
    yield from _store(settings)
    kinds = {settings.source.kind, settings.sink.kind}
    if "files" in kinds:
        yield _directory("files", "files.directory", settings.files.directory)
    if "kafka" in kinds:
        yield from _kafka(settings)


def _store(settings: Settings) -> Iterator[Finding]:
    if settings.state.kind == "memory":
        yield Finding("state", True, "in memory")
    elif settings.redis.url:
        yield from _redis(settings)
    else:
        yield _directory("state", "state.directory", settings.state.directory)
        yield _embedded_redis(settings)


def _embedded_redis(settings: Settings) -> Finding:
    from connectors.embedded_redis import EmbeddedRedisError, find_server

    try:
        server = find_server(Path(settings.state.directory))
    except EmbeddedRedisError as error:
        return Finding("redis", False, str(error), "install redis-server, or set redis.url")
    return Finding("redis", True, f"embedded, {server.name} over {settings.state.directory}")


def _redis(settings: Settings) -> Iterator[Finding]:
    """Reachable, append only file on, nothing evicted: anything else loses state in silence."""
    import redis

    from flows.assemble import redis_client
    from state.ledger import LedgerError
    from state.redis_safety import dangers

    address = redacted_url(settings.redis.url)
    try:
        with redis_client(settings, settings.redis.url) as client:
            version = client.info("server").get("redis_version", "unknown")
            found = list(dangers(client))
    except LedgerError as error:
        yield Finding("redis", False, f"{address}: {error}")
        return
    except (redis.RedisError, OSError, ValueError) as error:
        mend = "start it: redis-server --appendonly yes --maxmemory-policy noeviction; or set redis.url"
        yield Finding("redis", False, f"{address} does not answer: {error}", mend)
        return
    yield Finding("redis", True, f"{address}, version {version}")
    for danger in found:
        if danger.risk in settings.redis.accepted_risks:
            yield Finding("note", True, f"{danger.text}; accepted by redis.accepted_risks")
        else:
            yield Finding("redis", False, danger.text, danger.mend)


def _kafka(settings: Settings) -> Iterator[Finding]:
    from connectors.brokers import Brokers
    from connectors.log import LogError
    from flows import topics

    servers = settings.kafka.bootstrap_servers
    try:
        Brokers(servers, settings.kafka.options, answer_seconds=_ANSWER_SECONDS).partitions()
    except LogError as error:
        mend = "start a broker, or set kafka.bootstrap_servers"
        yield Finding("kafka", False, f"{servers} does not answer: {error}", mend)
        return
    yield Finding("kafka", True, servers)
    wrong = _topics(settings)
    for problem in wrong:
        yield Finding("topics", False, problem, "beckon topics create" if "do not exist" in problem else "")
    if not wrong:
        yield Finding("topics", True, f"all {len(topics.names(settings))} as needed")


def _topics(settings: Settings) -> list[str]:
    """What is wrong with them, by what the state was built from where that can be asked."""
    from flows import startup, topics
    from flows.assemble import ledger_of
    from state.redis_ledger import StoreUnavailable

    if settings.state.kind == "redis" and settings.redis.url:
        ledger = ledger_of(settings, settings.redis.url)
        try:
            return startup.problems(settings, ledger)
        except StoreUnavailable:
            pass  # told already, with what helps
        finally:
            ledger.close()
    return topics.problems(settings, {})


def _directory(subject: str, setting: str, name: str) -> Finding:
    """Is it there and ours to write, or can it be made?"""
    path = Path(name).resolve()
    present = next(each for each in (path, *path.parents) if each.exists())
    if present.is_dir() and os.access(present, os.W_OK | os.X_OK):
        return Finding(subject, True, f"{name}" + ("" if present == path else " (will be made)"))
    why = "is not a directory" if not present.is_dir() else "cannot be written"
    return Finding(
        subject, False, f"{setting} {name}: {present} {why}", f"set {setting} to a directory of yours"
    )
