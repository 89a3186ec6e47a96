"""What is known about one user? Read from the ledger, beside the running flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import redis

from config.load import fold_of
from config.settings import Settings
from connectors.murmur2 import partition
from flows.assemble import redis_client, redis_ledger, wall_ms
from flows.population import published_on
from state.ledger import Ledger
from state.profile import profile
from state.user import User, unpack


class NoState(Exception):
    """There is nothing to read from; the text says why and what to do."""


def state_url(settings: Settings) -> str:
    """The configured Redis, or the embedded one of the service that is running."""
    if settings.redis.url:
        return settings.redis.url
    written = Path(settings.state.directory) / "redis.url"
    if settings.state.kind == "memory" or not written.exists():
        raise NoState("no running service to ask: start `beckon run`, or set redis.url")
    return written.read_text().strip()


def read(settings: Settings, url: str, user_id: str) -> dict[str, Any] | None:
    """The profile as of now, of whoever the id is today; None for a user never seen, or erased."""
    client = redis_client(settings, url)
    try:
        shape = client.get(f"{{{settings.app}}}:shape")
        if not isinstance(shape, bytes):
            return None
        shards = int(shape.split()[0].split(b"=")[1])
        ledger = redis_ledger(settings, client)
        user = _living(ledger, shards, user_id)
        fold = fold_of(settings)
        if user is not None and settings.rfm.by == "quintiles":
            fold = fold.under(published_on(ledger, partition(user.user_id.encode(), shards)))
    except redis.ConnectionError as error:
        raise NoState(f"Redis does not answer: {error}") from error
    finally:
        client.close()
    if user is None or user.erased_at is not None:
        return None
    return profile(user, wall_ms(), fold)


def _living(ledger: Ledger, shards: int, user_id: str) -> User | None:
    """Follow the aliases; None too where links made a moment ago go round in a circle that is not open yet."""
    passed: set[str] = set()
    while user_id not in passed:
        passed.add(user_id)
        blob = ledger.load_users([(partition(user_id.encode(), shards), user_id)])[0]
        if blob is None:
            return None
        user = unpack(blob)
        if user.alias_of is None:
            return user
        user_id = user.alias_of
    return None


def read_profile(settings: Settings, user_id: str) -> dict[str, Any] | None:
    """For the command line: beside the running service, or from the configured Redis."""
    return read(settings, state_url(settings), user_id)


def read_json(settings: Settings, url: str, user_id: str) -> bytes | None:
    found = read(settings, url, user_id)
    return None if found is None else msgspec.json.encode(found)
