"""Are the right visitors of a real shop told of their carts, through real Kafka and Redis as by replay?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from state.calendar import MINUTE, iso
from tests.integration.installation import CART_ONLY, Record, lines_of, replayed
from tests.integration.shop import KafkaShop
from tests.real_data import retailrocket
from tests.servers.kafka import KafkaServer

PARTITIONS = 4


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return retailrocket.records()


@pytest.fixture(scope="module")
def replayed_triggers(
    records: list[Record], tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    out = replayed(tmp_path_factory.mktemp("replay"), records, CART_ONLY)
    return lines_of(out / "triggers.jsonl")


def pairs(triggers: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(trigger["subject"], line["sku"]) for trigger in triggers for line in trigger["data"]["skus"]}


def told(triggers: list[dict[str, Any]]) -> list[tuple[str, str, tuple[str, ...]]]:
    """(user, when it became due, the cart), sorted."""
    return sorted(
        (t["subject"], t["time"], tuple(sorted(line["sku"] for line in t["data"]["skus"]))) for t in triggers
    )


def assert_the_right_carts(triggers: list[dict[str, Any]]) -> None:
    carted = retailrocket.carted_pairs()
    assert len(triggers) == len({trigger["id"] for trigger in triggers}) == retailrocket.TRIGGERS
    assert len(carted) == retailrocket.CARTED_PAIRS
    assert pairs(triggers) <= carted
    assert len(pairs(triggers)) == retailrocket.ABANDONED_PAIRS
    expected = [(r.user_id, iso(r.due), r.skus) for r in retailrocket.reminders(30 * MINUTE)]
    assert told(triggers) == sorted(expected)


def test_replay_tells_the_right_carts(replayed_triggers: list[dict[str, Any]]) -> None:
    assert_the_right_carts(replayed_triggers)


def test_kafka_and_redis_tell_the_same_carts_with_the_same_ids(
    records: list[Record],
    replayed_triggers: list[dict[str, Any]],
    kafka: KafkaServer,
    redis_url: str,
    tmp_path: Path,
) -> None:
    with KafkaShop(tmp_path, kafka, redis_url, CART_ONLY, partitions=PARTITIONS) as shop:
        shop.run("topics", "create")
        shop.write(records)
        shop.run("run", "--until-caught-up")
        triggers = shop.triggers()
        assert_the_right_carts(triggers)
        assert {t["id"]: t["data"] for t in triggers} == {t["id"]: t["data"] for t in replayed_triggers}
        assert set(shop.lag().values()) == {0}
