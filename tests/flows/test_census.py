"""Does the census count who is there, of the right shards, within its bound, and without harm where Redis is away?"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis
from msgspec import msgpack, structs

from config.load import fold_of, load
from connectors import metrics
from flows.buyers import HEAD, Head
from flows.census import Census
from state.calendar import DAY, HOUR
from state.folding import FoldParams
from state.ledger import Commit
from state.redis_ledger import RedisLedger
from state.scores import Cuts
from state.user import LAYOUT, User, pack
from tests.integration.installation import eventually

NOW = 1_790_000_000_000
PARAMS = fold_of(load(None, {}, []))


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def census(
    client: redis.Redis,
    *shards: int,
    keys: int = 10_000,
    every_seconds: float = 60.0,
    fold: FoldParams = PARAMS,
) -> Census:
    return Census(
        client, "shop", lambda: shards, fold, wall_ms=lambda: NOW, every_seconds=every_seconds, keys=keys
    )


def store(
    client: redis.Redis, shard: int, *users: User, due: int | None = None, head: Head | None = None
) -> None:
    ledger = RedisLedger(
        client, "shop", user_ttl_seconds=60, watch_ttl_seconds=60, watchers_per_sku=1, audience_users=1
    )
    ledger.prepare(4, LAYOUT)
    version = ledger.open(shard, "a").version
    packed = {user.user_id: pack(user) for user in users}
    timers: dict[str, int | None] = {} if due is None else dict.fromkeys(packed, due)
    buyers: dict[str, bytes | None] = {} if head is None else {HEAD: msgpack.encode(head)}
    ledger.begin_commit(shard, Commit("a", version, users=packed, timers=timers, buyers=buyers))
    assert ledger.finish_commits() == [True]


def visitor(name: str, quiet: int) -> User:
    user = User.new(name)
    user.last_seen_at = NOW - quiet
    return user


def buyer(name: str, ago: int, orders: int) -> User:
    user = visitor(name, ago)
    user.registered_at = NOW - 300 * DAY
    for number in range(orders):
        user.rfm.add_order(NOW - ago - number * DAY, 50_000, PARAMS.days)
    user.activity.last_visit_at = NOW - ago
    return user


def value(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(f"beckon_{name}", labels)


def test_users_are_counted_by_how_alive_and_of_what_value_they_are(client: redis.Redis) -> None:
    gone, alias = visitor("gone", HOUR), visitor("alias", HOUR)
    gone.erased_at, alias.ties.alias_of = NOW, "v1"
    users = [
        *(visitor("v1", HOUR), visitor("v2", 3 * DAY), visitor("v3", 20 * DAY), gone, alias),
        *(buyer("b1", HOUR, 4), buyer("b2", 100 * DAY, 1)),
    ]
    store(client, 1, *users, due=NOW + HOUR)
    store(client, 2, visitor("other", HOUR))

    census(client, 1).look()

    assert value("users") == 5
    assert [value("active_users", within=within) for within in ("day", "week", "month")] == [2, 3, 4]
    assert value("users_by_stage", stage="visitor") == 3
    assert value("users_by_stage", stage="churned") == 1
    assert value("users_by_segment", segment="core_value") == 1
    assert value("users_by_segment", segment="lost") == 1
    assert value("users_by_segment", segment="none") == 3
    assert value("timers_pending") == len(users)
    assert value("census_share") == 1
    assert 0 < (value("state_bytes") or 0) < (value("state_limit_bytes") or 0)

    census(client).look()
    assert value("users") == 0
    assert value("timers_pending") == 0


def test_segments_go_by_the_cut_points_of_the_population(client: redis.Redis) -> None:
    regular = buyer("b1", HOUR, 4)  # core_value by thresholds, and nobody by fifths that begin above
    cuts = Cuts(version="v", r=(1, 2, 3, 4), f=(5, 6, 7, 8), m=(1, 2, 3, 4))
    store(client, 1, regular, head=Head("UTC", 1, published=((0, cuts),)))
    segments = structs.replace(PARAMS.segments, by="quintiles")

    census(client, 1, fold=structs.replace(PARAMS, segments=segments)).look()
    assert value("users_by_segment", segment="core_value") == 0
    assert value("users_by_segment", segment="growing_high_value") == 1

    census(client, 1).look()
    assert value("users_by_segment", segment="core_value") == 1


def test_of_many_a_sample_is_looked_at_and_the_whole_is_estimated(client: redis.Redis) -> None:
    store(client, 1, *(visitor(f"v{n}", HOUR if n % 4 == 0 else 3 * DAY) for n in range(8_000)))

    census(client, 1, keys=2_000).look()

    share = value("census_share") or 0
    assert 0.24 < share < 0.32
    assert value("users") == pytest.approx(8_000, rel=0.02)
    assert value("active_users", within="day") == pytest.approx(
        2_000, rel=0.2
    )  # four times its standard error


def test_a_redis_that_is_away_is_waited_for_and_the_end_comes_at_once(client: redis.Redis) -> None:
    store(client, 1, visitor("v1", HOUR))
    metrics.USERS.set(77)
    nobody = redis.Redis(host="127.0.0.1", port=1)
    with census(nobody, 1, every_seconds=0.02):
        time.sleep(0.2)
        assert value("users") == 77
    begun = time.monotonic()
    with census(client, 1, every_seconds=0.02):
        eventually(lambda: value("users") == 1, seconds=10, what="a census")
    assert time.monotonic() - begun < 9
