"""Would `beckon run` work here? Configuration, Redis, brokers, topics: each found good, or how to mend it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from config.load import notes_of
from config.settings import Settings

User = Literal["flow", "reader", "service"]
"""Whose rights are looked at: as whom `run` goes, `profile` and `explain`, or customer service, which may erase too."""


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


def findings_of(settings: Settings, user: User = "flow") -> Iterator[Finding]:
    """One by one, as they are found: a server that does not answer takes seconds."""
    from console import check_kafka, check_redis

    on = {name: params for name, params in settings.rules.items() if params.enabled}
    rules = [name if params.mode == "live" else f"{name} (in shadow)" for name, params in on.items()]
    yield Finding("configuration", True, f"{len(rules)} rules on: {', '.join(rules)}")
    for note in notes_of(settings):
        yield Finding("note", True, note)
    if settings.state.kind == "redis" and settings.redis.url:
        yield from check_redis.findings(settings, user)
    else:
        yield from _store(settings)
    kinds = {settings.source.kind, settings.sink.kind}
    if "files" in kinds and user != "reader":
        yield _directory("files", "files.directory", settings.files.directory)
    if "kafka" in kinds and user != "reader":
        yield from check_kafka.findings(settings, user)


def _store(settings: Settings) -> Iterator[Finding]:
    if settings.state.kind == "memory":
        yield Finding("state", True, "in memory")
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
