"""Does a fact older than an edge overrule it? Redis may have forgotten the fact; the letter comes again at once."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.flows.flow import MINUTE, START, Flow, event, viewed


def edge(after: int, kind: str, available: int) -> bytes:
    told = {"event_id": f"{kind}-{after}", "type": "stock_edge", "ts": START + after, "sku": "k1"}
    return msgspec.json.encode({**told, "edge": kind, "available": available, "since": START})


def test_a_letter_is_believed_before_an_older_fact(tmp_path: Path) -> None:
    flow = Flow(tmp_path)
    flow.write(event("stock_changed", 0, None, sku="k1", available=10), viewed(MINUTE))
    flow.write_bytes("letters", edge(2 * MINUTE, "low", 3))
    flow.write(viewed(30 * MINUTE, "u2", "k9"))
    flow.run()
    (trigger,) = flow.triggers("low_stock")
    assert trigger["data"]["reason"].startswith("only 3 left")


def test_and_not_before_a_newer_one(tmp_path: Path) -> None:
    flow = Flow(tmp_path)
    flow.write(viewed(MINUTE))
    flow.write_bytes("letters", edge(2 * MINUTE, "low", 3))
    flow.write(event("stock_changed", 2 * MINUTE + 1, None, sku="k1", available=10))
    flow.write(viewed(30 * MINUTE, "u2", "k9"))
    flow.run()
    assert flow.triggers("low_stock") == []
