"""Does a fall of a price reach everybody it is low enough for, over shards, and cost a look only where it may?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from state import events
from tests.flows.flow import MINUTE, START, Flow, added, event, viewed
from tests.oracles.kit import in_order, told

_EVENT: Any = events.Clickstream | events.Inventory


def priced(after: int, price: int, sku: str = "k1") -> dict[str, Any]:
    return event("price_changed", after, None, sku=sku, price=price)


def history(seed: int) -> list[dict[str, Any]]:
    """Prices that go up and down a little, and users who were told others."""
    chance, after, said = Random(seed), 0, []
    for _ in range(80):
        after += chance.choice((1, MINUTE, 7 * MINUTE))
        user, sku = f"u{chance.randrange(6)}", f"k{chance.randrange(2)}"
        price = chance.choice((880, 900, 950, 970, 980, 990, 1000))
        said.append(
            chance.choice(
                (
                    priced(after, price, sku),
                    priced(after, price, sku),
                    event("product_viewed", after, user, sku=sku, price=price + 60),
                    viewed(after, user, sku),
                    event("favorited", after, user, sku=sku),
                    added(after, user, sku) | {"price": price + chance.choice((0, 0, 200))},
                )
            )
        )
    return said


def found(flow: Flow) -> set[tuple[str, str]]:
    return {(t["subject"], t["data"]["anchor"]) for t in flow.triggers("price_drop")}


def looks_at(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The SKUs whose watchers are read from now on, each time."""
    looked: list[list[str]] = []
    load = flow.ledger.load_watchers

    def look(asked: Sequence[tuple[int, str]], limit: int) -> list[list[str]]:
        if asked:
            looked.append([sku for _, sku in asked])
        return load(asked, limit)

    monkeypatch.setattr(flow.ledger, "load_watchers", look)
    return looked


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("partitions", [1, 3])
def test_over_any_number_of_shards_the_same_are_told(tmp_path: Path, partitions: int, seed: int) -> None:
    flow = Flow(tmp_path, partitions=partitions)
    said = history(seed)
    for each in said:  # shards do not wait for each other, so each fall is read by all before time goes on
        flow.write(each)
        if partitions > 1 and each["type"] == "price_changed":
            flow.run()
    flow.run()
    expected = told("price_drop", {}, in_order([msgspec.convert(each, _EVENT) for each in said]))
    assert found(flow) == {(each.user_id, each.anchor) for each in expected}
    assert len(flow.triggers("price_drop")) == len(expected) > 0


def test_a_fall_that_is_low_enough_for_nobody_looks_at_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(tmp_path, "engine.batch_records=1")
    looked = looks_at(flow, monkeypatch)
    flow.write(event("product_viewed", 0, sku="k1", price=1000))
    flow.write(*(priced(MINUTE * n, price) for n, price in enumerate((1000, 990, 950, 995, 901), start=1)))
    flow.write(added(9 * MINUTE, "u2") | {"price": 1200})  # to her it is cheap
    flow.write(priced(10 * MINUTE, 900 + 95), priced(11 * MINUTE, 902))
    flow.run()
    assert looked == [["k1"], ["k1"]]  # when the price became known, and when it may concern somebody
    assert found(flow) == {("u2", f"k1:{priced(11 * MINUTE, 902)['event_id']}")}


def test_after_a_start_all_falls_of_a_batch_are_looked_at_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(tmp_path)
    skus = [f"k{n}" for n in range(5)]
    flow.write(*(event("product_viewed", n, sku=sku, price=1000) for n, sku in enumerate(skus)))
    flow.write(*(priced(MINUTE, 1000, sku) for sku in skus))
    flow.run()
    looked = looks_at(flow, monkeypatch)
    flow.write(*(priced(2 * MINUTE, 890 + n * 10, sku) for n, sku in enumerate(skus)))
    flow.run()
    assert looked == [skus]
    assert {anchor.partition(":")[0] for _, anchor in found(flow)} == {"k0", "k1"}


def test_so_are_edges_that_changes_of_the_same_batch_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stocked(after: int, available: int, sku: str) -> dict[str, Any]:
        return event("stock_changed", after, None, sku=sku, available=available)

    flow = Flow(tmp_path)
    flow.write(added(0, sku="k2"), stocked(1, 50, "k2"), priced(1, 1000, "k1"))
    flow.run()
    looked = looks_at(flow, monkeypatch)
    flow.write(event("product_viewed", 3, "u2", sku="k1", price=1000))
    flow.write(
        priced(MINUTE, 2000, "k1"), priced(2 * MINUTE, 1500, "k1")
    )  # lower than it was, not than before the batch
    flow.write(stocked(MINUTE, 40, "k2"), stocked(2 * MINUTE, 2, "k2"), stocked(3 * MINUTE, 1, "k2"))
    flow.run()
    assert [sorted(each) for each in looked] == [["k1", "k2"]]
    assert [each["subject"] for each in flow.triggers("low_stock")] == ["u1"]


def test_where_nobody_watches_is_known_until_somebody_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(tmp_path, "engine.batch_records=1")
    looked = looks_at(flow, monkeypatch)
    flow.write(*(priced(MINUTE * n, 1000 - 90 * n) for n in range(5)))
    flow.write(viewed(9 * MINUTE, "u2"))  # who knows no price, but what the item cost then
    flow.write(priced(10 * MINUTE, 300))
    flow.run()
    assert looked == [["k1"], ["k1"]]
    assert found(flow) == {("u2", f"k1:{priced(10 * MINUTE, 300)['event_id']}")}


def test_with_the_rule_off_prices_are_nobodys_concern(tmp_path: Path) -> None:
    flow = Flow(tmp_path, "rules.price_drop.enabled=false", partitions=2)
    flow.write(event("product_viewed", 0, sku="k1", price=1000), priced(MINUTE, 500))
    flow.run()
    assert flow.lines("letters") == []


def test_a_letter_tells_what_the_item_cost_since_when(tmp_path: Path) -> None:
    flow = Flow(tmp_path, partitions=2)
    flow.write(priced(MINUTE, 1000), priced(2 * MINUTE, 900), priced(3 * MINUTE, 950))
    flow.run()
    letters = flow.lines("letters")
    assert [(each["type"], each["price"]) for each in letters] == [("price_edge", 1000), ("price_edge", 900)]
    assert letters[-1]["prices"] == [[START + MINUTE, 1000], [START + 2 * MINUTE, 900]]
