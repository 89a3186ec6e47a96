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
    rules = [name for name, params in settings.rules.items() if params.enabled]
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

    address, password = redacted_url(settings.redis.url), settings.redis.password
    try:
        with redis.Redis.from_url(
            settings.redis.url,
            socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_ANSWER_SECONDS,
            **({"password": password} if password else {}),
        ) as client:
            info = client.info()
    except (redis.RedisError, OSError, ValueError) as error:
        mend = "start it: redis-server --appendonly yes --maxmemory-policy noeviction; or set redis.url"
        yield Finding("redis", False, f"{address} does not answer: {error}", mend)
        return
    yield Finding("redis", True, f"{address}, version {info.get('redis_version', 'unknown')}")
    if not info.get("aof_enabled"):
        mend = "redis-cli CONFIG SET appendonly yes; and the same in its configuration file"
        yield Finding("redis", False, "its append only file is off: a restart forgets everything", mend)
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        mend = "redis-cli CONFIG SET maxmemory-policy noeviction; and the same in its configuration file"
        yield Finding("redis", False, f"maxmemory-policy is {policy}: users may vanish at any time", mend)


def _kafka(settings: Settings) -> Iterator[Finding]:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    servers = settings.kafka.bootstrap_servers
    try:
        options = {"bootstrap.servers": servers, "log_level": 0, **settings.kafka.options}
        brokers = AdminClient(options).list_topics(timeout=_ANSWER_SECONDS).brokers
    except KafkaException as error:
        mend = "start a broker, or set kafka.bootstrap_servers"
        yield Finding("kafka", False, f"{servers} does not answer: {error.args[0].str()}", mend)
        return
    yield Finding("kafka", True, f"{servers}, {len(brokers)} broker{'s' if len(brokers) != 1 else ''}")
    from flows import topics

    wrong = topics.problems(settings)
    for problem in wrong:
        yield Finding("topics", False, problem, "beckon topics create" if "do not exist" in problem else "")
    if not wrong:
        yield Finding("topics", True, f"all {len(topics.names(settings))} as needed")


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
