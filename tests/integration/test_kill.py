"""Does kill -9 at any moment lose or repeat anything? RetailRocket again, and five times in the middle of it.

The process reads a few records at a time and commits every round, so there is a middle. A moment is a number
of records that the state has reached, drawn from SEED, and a few milliseconds more.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.embedded_redis import EmbeddedRedis
from state.user import User
from tests.integration.installation import (
    CART_ONLY,
    Installation,
    Record,
    lines_of,
    merged,
    replayed,
    write_history,
)
from tests.integration.running import Running
from tests.integration.shop import KafkaShop
from tests.real_data import retailrocket
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

SEED = 20260921
KILLS = 5
PARTITIONS = 4
# All rules as shipped, but the cart's as in the other test and no policy, so that every candidate is published.
SETTINGS: Mapping[str, Any] = {
    "policy": {"enabled": False},
    "rules": {"cart_abandoned": CART_ONLY["rules"]["cart_abandoned"]},
}
SLOWLY: Mapping[str, Any] = {"engine": {"batch_records": 4, "commit_interval": "1ms", "commit_age": "1ms"}}


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return retailrocket.records()


@pytest.fixture(scope="module")
def expected_ids(records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What `replay` publishes."""
    triggers = lines_of(replayed(tmp_path_factory.mktemp("replay"), records, SETTINGS) / "triggers.jsonl")
    ids = {trigger["id"] for trigger in triggers}
    assert len(ids) == len(triggers) > retailrocket.TRIGGERS
    return ids


@pytest.fixture(scope="module")
def undisturbed_users(
    records: list[Record],
    kafka: KafkaServer,
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, User]:
    """The final state on Kafka and Redis when nobody kills anything."""
    directory = tmp_path_factory.mktemp("undisturbed")
    with KafkaShop(directory, kafka, redis_server.url, SETTINGS, partitions=PARTITIONS) as shop:
        shop.create_topics()
        shop.write(records)
        shop.run("run", "--until-caught-up")
        return shop.users()


def killed_in_the_middle(installation: Installation, total: int) -> Running:
    """Kill and start again at five moments; the process that may go on to the end."""
    rng = random.Random(SEED)
    process = installation.start("run", "--until-caught-up")
    for kill in range(KILLS):
        moment = int(total * (kill + rng.uniform(0.2, 0.8)) / (KILLS + 0.5))
        reached = 0
        deadline = time.monotonic() + 60
        while reached < moment and process.runs:
            assert time.monotonic() < deadline, f"{reached} of {moment} records after a minute"
            time.sleep(0.02)
            reached = max(reached, installation.marks())
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        print(f"seed {SEED}: killed after {reached} of {total} records")  # noqa: T201 - shown when the test fails
        process = installation.start("run", "--until-caught-up")
    return process


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_on_kafka_and_redis(
    guarantee: str,
    records: list[Record],
    expected_ids: set[str],
    undisturbed_users: dict[str, User],
    kafka: KafkaServer,
    redis_url: str,
    tmp_path: Path,
) -> None:
    settings = merged(merged(SETTINGS, SLOWLY), {"delivery": {"guarantee": guarantee}})
    with KafkaShop(tmp_path, kafka, redis_url, settings, partitions=PARTITIONS) as shop:
        shop.create_topics()
        total = shop.write(records)
        process = killed_in_the_middle(shop, total)
        assert process.wait(120) == 0, process.said()
        ids = Counter(trigger["id"] for trigger in shop.triggers())
        assert set(ids) == expected_ids
        if guarantee == "exactly_once":
            assert ids.total() == len(ids), "a reader of committed records saw an id twice"
        assert shop.marks() == total
        assert shop.users() == undisturbed_users
        assert set(shop.lag().values()) == {0}


def test_on_a_file_log_and_the_embedded_redis(
    records: list[Record], expected_ids: set[str], tmp_path: Path
) -> None:
    settings = merged(SETTINGS, {"files": {"directory": "log"}})
    for name in ("undisturbed", "killed"):
        write_history(tmp_path / name / "log", records)
    with Installation(tmp_path / "undisturbed", settings) as installation:
        installation.run("run", "--until-caught-up")
        with EmbeddedRedis.start(tmp_path / "undisturbed" / "var" / "state") as store:
            undisturbed_users = installation.users(store.url)
    with Installation(tmp_path / "killed", merged(settings, SLOWLY)) as installation:
        process = killed_in_the_middle(installation, len(records))
        assert process.wait(120) == 0, process.said()
        with EmbeddedRedis.start(tmp_path / "killed" / "var" / "state") as store:
            assert installation.users(store.url) == undisturbed_users
    assert len(undisturbed_users) > 1000
    for name in ("triggers", "decisions"):
        ids = Counter(line["id"] for line in lines_of(tmp_path / "killed" / "log" / f"{name}.jsonl"))
        assert ids.total() == len(ids)
        assert set(ids) == expected_ids
