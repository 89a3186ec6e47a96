"""Can this Redis lose in silence what it has acknowledged? By evicting it, or by forgetting it in a restart.

INFO is asked, not CONFIG: managed services and access rules often forbid the latter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Literal

import redis
from msgspec import Struct
from redis.exceptions import BusyLoadingError, NoPermissionError

from state.ledger import LedgerError

Risk = Literal["eviction", "no_persistence"]


class Danger(Struct, frozen=True):
    """`risk`: the name under which an operator may accept it (`redis.accepted_risks`)."""

    risk: Risk
    text: str
    mend: str


def dangers(client: redis.Redis) -> Iterator[Danger]:
    """How it may lose state, in words. What it does not tell counts as a danger."""
    if _told(client, "persistence", "loading"):  # meanwhile it says that its append only file is off
        raise BusyLoadingError("Redis is loading the dataset in memory")
    policy = _told(client, "memory", "maxmemory_policy")
    if policy != "noeviction":
        evicted = _told(client, "stats", "evicted_keys") or 0
        lost = f" ({evicted} keys are gone since it was started)" if evicted else ""
        yield Danger(
            "eviction",
            f"its maxmemory-policy is {policy or 'not told'}: when memory is short it deletes users, timers and "
            f"messages not sent yet, and says nothing{lost}",
            "redis-cli CONFIG SET maxmemory-policy noeviction; and the same in its configuration file",
        )
    if not _told(client, "persistence", "aof_enabled"):
        yield Danger(
            "no_persistence",
            "its append only file is off: a restart forgets what it has acknowledged",
            "redis-cli CONFIG SET appendonly yes; and the same in its configuration file",
        )


def refused(client: redis.Redis, accepted: Collection[str]) -> list[str]:
    """The dangers that the operator has not accepted, with what helps."""
    if {"eviction", "no_persistence"} <= set(accepted):
        return []
    return [
        f"Redis is not safe to keep state in: {danger.text}. Mend: {danger.mend}. Or accept it: "
        f"redis.accepted_risks: [{danger.risk}]"
        for danger in dangers(client)
        if danger.risk not in accepted
    ]


def _told(client: redis.Redis, section: str, name: str) -> Any:
    try:
        return client.info(section).get(name)
    except NoPermissionError as error:
        raise LedgerError(
            "Redis does not let us ask whether it keeps what it acknowledges (INFO). Mend: ACL SETUSER <our user> "
            "+info. Or accept the risks: redis.accepted_risks: [eviction, no_persistence]"
        ) from error
