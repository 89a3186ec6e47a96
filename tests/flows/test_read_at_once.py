"""Is what was due decided by what was known then, even if the whole history is read in one go?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows import replay
from tests.flows.flow import DAY, HOUR, MINUTE, Flow, added, event, ordered, viewed

BATCHES = pytest.mark.parametrize("batch", [1, 4000])


def stocked(after: int, available: int) -> dict[str, Any]:
    return event("stock_changed", after, None, sku="k1", available=available)


def flow_of(tmp_path: Path, batch: int) -> Flow:
    return Flow(tmp_path, f"engine.batch_records={batch}")


@BATCHES
def test_a_reminder_tells_the_stock_of_its_time(tmp_path: Path, batch: int) -> None:
    flow = flow_of(tmp_path, batch)
    flow.write(stocked(0, 10), added(MINUTE), stocked(5 * HOUR, 2), viewed(3 * DAY, "u2"))
    flow.run()
    told = [t["data"] for t in flow.triggers("cart_abandoned")]
    assert [(t["step"], t["skus"][0]["stock_left"], t.get("low_stock")) for t in told] == [
        (1, 10, None),
        (2, 2, {"k1": 2}),
    ]


@BATCHES
def test_what_sells_out_after_it_was_due_has_been_told(tmp_path: Path, batch: int) -> None:
    flow = flow_of(tmp_path, batch)
    flow.write(
        stocked(0, 2), event("favorited", MINUTE, sku="k1"), stocked(4 * DAY, 0), viewed(9 * DAY, "u2")
    )
    flow.run()
    assert len(flow.triggers("favorite_reminder")) == 1


@BATCHES
def test_a_purchase_that_comes_late_retracts_what_time_has_passed(tmp_path: Path, batch: int) -> None:
    flow = flow_of(tmp_path, batch)
    flow.write(added(0), viewed(70 * MINUTE, "u2"), ordered(70 * MINUTE, "u2", "k9"), ordered(30 * MINUTE))
    flow.write(viewed(3 * DAY, "u2"))
    flow.run()
    told, retracted = flow.triggers("cart_abandoned")
    assert retracted["type"] == "beckon.trigger_retracted.v1"
    assert retracted["data"]["retracts"] == told["id"]


@BATCHES
def test_within_the_jitter_of_producers_nothing_was_told(tmp_path: Path, batch: int) -> None:
    flow = flow_of(tmp_path, batch)
    flow.write(added(0), ordered(HOUR + 4000, "u2", "k9"), ordered(HOUR - 100), viewed(3 * DAY, "u2"))
    flow.run()
    assert [t for t in flow.triggers() if t["data"]["rule"] == "cart_abandoned"] == []


def test_a_replay_reads_all_partitions_of_a_topic(tmp_path: Path) -> None:
    """In one shard, whatever their number: stock and users find each other."""
    history = Flow(tmp_path / "in", partitions=3)
    users = [f"u{number}" for number in range(9)]
    history.write(stocked(0, 2), *(added(MINUTE, user) for user in users), ordered(30 * MINUTE, "u1"))
    history.write(viewed(3 * HOUR, "late"))
    summary = replay.run(history.settings, tmp_path / "in", tmp_path / "out")
    told = [json.loads(line) for line in (tmp_path / "out" / "triggers.jsonl").read_text().splitlines()]
    carts = [t for t in told if t["data"]["rule"] == "cart_abandoned"]
    assert sorted(t["subject"] for t in carts) == [user for user in users if user != "u1"]
    assert {t["data"]["skus"][0]["stock_left"] for t in carts} == {2}
    assert summary.events == 12
