"""What is known about one user? Read from the ledger, beside the running flow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import redis

from config.load import fold_of
from config.settings import Settings
from connectors.murmur2 import partition
from flows.assemble import redis_ledger, wall_ms
from flows.buyers import published_on
from flows.privacy import name_of
from flows.redis_access import redis_client
from state.profile import profile
from state.profile_shape import Profile
from state.redis_ledger import RedisLedger, StoreUnavailable
from state.scores import Publications
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


@contextlib.contextmanager
def ledger_beside(settings: Settings, url: str) -> Iterator[RedisLedger]:
    """The state of the service, to be read only; NoState where Redis does not answer."""
    client = redis_client(settings, url)
    try:
        yield redis_ledger(settings, client)
    except (redis.ConnectionError, StoreUnavailable) as error:
        raise NoState(f"Redis does not answer: {error}") from error
    finally:
        client.close()


def read(settings: Settings, url: str, user_id: str) -> Profile | None:
    """The profile as of now, of whoever the id is today; None for a user never seen, or erased."""
    with ledger_beside(settings, url) as ledger:
        user = living(ledger, name_of(settings, user_id))
        if user is None or user.erased_at is not None:
            return None
        return profile(user, wall_ms(), fold_of(settings).under(published_for(ledger, settings, user)))


def living(ledger: RedisLedger, user_id: str) -> User | None:
    """Who the id is today, by way of its aliases; None where nobody is known, or nothing yet.

    None too where links made a moment ago go round in a circle that is not open yet.
    """
    shards, passed = int(ledger.recorded().get("shards", 0)), set[str]()
    while shards and user_id not in passed:
        passed.add(user_id)
        blob = ledger.load_users([(partition(user_id.encode(), shards), user_id)])[0]
        if blob is None:
            return None
        user = unpack(blob)
        if user.alias_of is None:
            return user
        user_id = user.alias_of
    return None


def published_for(ledger: RedisLedger, settings: Settings, user: User) -> Publications:
    """The cut points by which the user's shard scores; none where the population is not counted."""
    if settings.rfm.by != "quintiles":
        return ()
    return published_on(ledger, partition(user.user_id.encode(), int(ledger.recorded()["shards"])))


def read_profile(settings: Settings, user_id: str) -> Profile | None:
    """For the command line: beside the running service, or from the configured Redis."""
    return read(settings, state_url(settings), user_id)


def read_json(settings: Settings, url: str, user_id: str) -> bytes | None:
    found = read(settings, url, user_id)
    return None if found is None else msgspec.json.encode(found)
