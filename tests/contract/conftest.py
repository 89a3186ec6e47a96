"""On which ledgers is the contract tried? In memory, and in a real Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from state.ledger import Store
from state.memory_ledger import MemoryLedger
from state.redis_ledger import RedisLedger


@pytest.fixture(params=["memory", "redis"])
def ledger(request: pytest.FixtureRequest) -> Iterator[Store]:
    made: Store
    if request.param == "memory":
        made = MemoryLedger(watchers_per_sku=3, audience_users=4)
    else:
        made = redis_ledger(redis.Redis.from_url(request.getfixturevalue("redis_url")))
    made.prepare(4, 1)
    yield made
    made.close()


def redis_ledger(client: redis.Redis) -> RedisLedger:
    return RedisLedger(
        client, "t", user_ttl_seconds=60, watch_ttl_seconds=60, watchers_per_sku=3, audience_users=4
    )
