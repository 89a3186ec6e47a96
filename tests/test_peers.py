"""Is the comparison with other engines a fair judge? Its log, its oracle, and what it says where something is missing.

The engines themselves take minutes and the registries: `python -m benchmarks.peers`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.peers import builds, job, log, oracle
from benchmarks.peers.engines import AT_LEAST, Beckon
from benchmarks.workload import PARTITIONS
from config.load import load
from connectors.murmur2 import partition
from flows import replay

COUNT, USERS = 4_000, 300
HOUR = 3_600_000


def test_the_same_seed_gives_the_same_log() -> None:
    first, again, other = (list(job.records(COUNT, USERS, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_time_rises_and_each_partition_hears_of_the_end() -> None:
    said = list(job.events(COUNT, USERS))
    times = [event["ts"] for _, _, event in said]
    assert all(earlier < later for earlier, later in pairwise(times))
    closing = said[COUNT:]
    for role in ("clickstream", "orders"):
        places = [partition(user.encode(), PARTITIONS) for told, user, _ in closing if told == role]
        assert sorted(places) == [*range(PARTITIONS)]
    assert closing[0][2]["ts"] - times[COUNT - 1] > 2 * job.CART_DELAY_MS


def test_the_mix_is_as_told() -> None:
    """Within what so short a log, which begins with empty carts, lacks of it."""
    kinds = Counter(event["type"] for _, _, event in job.events(50_000, 2_500))
    shares = {kind: 1000 * count / 50_000 for kind, count in kinds.items()}
    assert shares == pytest.approx(
        {
            "product_viewed": 893,
            "favorited": 30,
            "cart_item_added": 54,
            "cart_item_removed": 7,
            "order_placed": 16,
        },
        abs=6,
    )


def told(*events: dict[str, Any]) -> set[tuple[str, str]]:
    """Rule and anchor, of one user."""
    log = [
        msgspec.json.encode({"event_id": f"e{n}", "user_id": "u", **e}) for n, e in enumerate(events, start=1)
    ]
    return {(rule, anchor) for rule, _, anchor in oracle.expected(log)}


def added(ts: int, sku: str = "a") -> dict[str, Any]:
    return {"ts": ts, "type": "cart_item_added", "sku": sku}


def ordered(ts: int, total: int, *skus: str) -> dict[str, Any]:
    return {"ts": ts, "type": "order_placed", "total": total, "lines": [{"sku": sku} for sku in skus]}


def test_a_cart_is_abandoned_by_its_last_change() -> None:
    assert told(added(0)) == {("cart_abandoned", "e1")}
    assert told(added(0), added(HOUR, "b")) == {("cart_abandoned", "e2")}, (
        "at the due time counts as before it"
    )
    assert told(added(0), added(HOUR + 1, "b")) == {("cart_abandoned", "e1"), ("cart_abandoned", "e2")}
    assert told(added(0), {"ts": 9, "type": "cart_item_removed", "sku": "a"}) == set()
    assert told(added(0), {"ts": 9, "type": "cart_item_removed", "sku": "b"}) == {("cart_abandoned", "e1")}
    assert told(added(0), ordered(9, 1, "a")) == set()
    assert told(added(0), ordered(9, 1, "b")) == {("cart_abandoned", "e1")}, (
        "a cart that an order does not touch"
    )


def test_a_milestone_is_passed_by_the_order_that_comes_to_it() -> None:
    day, rung = 24 * HOUR, job.LADDER[0]
    assert told(ordered(0, rung - 1)) == set()
    assert told(ordered(0, rung - 1), ordered(1, 1), ordered(2, 1)) == {("spend_milestone", "e2")}
    assert told(ordered(0, rung), ordered(30 * day, rung)) == {
        ("spend_milestone", "e1"),
        ("spend_milestone", "e2"),
    }
    later = told(ordered(0, rung - 1), ordered(31 * day, 1))
    assert later == set(), "what was spent before the window does not count"


@pytest.mark.parametrize("gap_ms", [60_000, 600_000], ids=["three days", "a month"])
def test_beckon_tells_what_the_oracle_does(
    gap_ms: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a replay; on the servers `python -m benchmarks.peers` compares it in each run."""
    monkeypatch.setattr(job, "GAP_MS", gap_ms)
    monkeypatch.setattr(
        job, "CONCURRENT", 1_200_000 // gap_ms
    )  # 20 minutes between two clicks: some carts wait
    records = list(job.records(COUNT, USERS))
    for role in ("clickstream", "orders"):
        lines = [value for said, _, value, _ in records if said == role]
        (tmp_path / f"{role}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    expected = oracle.expected(value for _, _, value, _ in records)
    assert {rule for rule, _, _ in expected} == {"cart_abandoned", "spend_milestone"}
    replay.run(load(None, {}, Beckon(guarantee=AT_LEAST, alone=True).job()), tmp_path, tmp_path / "out")
    assert log.told_in(lines_of(tmp_path / "out" / "triggers.jsonl")) == Counter(expected)


def lines_of(path: Path) -> Iterator[bytes]:
    yield from path.read_bytes().splitlines()


def test_a_missing_program_is_named_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        builds.BuildError, match=r"flink needs Java 17 or later, and there is no java on the PATH"
    ):
        builds.maven("flink")
