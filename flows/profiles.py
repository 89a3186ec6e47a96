"""What is known about one user? Read from the ledger, beside the running flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import redis

from config.settings import Settings
from connectors.murmur2 import partition
from flows.assemble import redis_client, redis_ledger, wall_ms
from state.calendar import Days
from state.profile import profile
from state.user import unpack


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
    """The profile as of now; None for a user never seen, or erased."""
    client = redis_client(settings, url)
    try:
        shape = client.get(f"{{{settings.app}}}:shape")
        if not isinstance(shape, bytes):
            return None
        shards = int(shape.split()[0].split(b"=")[1])
        ledger = redis_ledger(settings, client)
        blob = ledger.load_users([(partition(user_id.encode(), shards), user_id)])[0]
    except redis.ConnectionError as error:
        raise NoState(f"Redis does not answer: {error}") from error
    finally:
        client.close()
    if blob is None:
        return None
    user = unpack(blob)
    return None if user.erased_at is not None else profile(user, wall_ms(), Days(settings.time.zone))


def read_profile(settings: Settings, user_id: str) -> dict[str, Any] | None:
    """For the command line: beside the running service, or from the configured Redis."""
    return read(settings, state_url(settings), user_id)


def read_json(settings: Settings, url: str, user_id: str) -> bytes | None:
    found = read(settings, url, user_id)
    return None if found is None else msgspec.json.encode(found)
