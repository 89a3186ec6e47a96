"""Are the edges of a SKU's stock those that a walk through its history shows?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.events import PriceChanged, PriceEdge, StockChanged, StockEdge
from state.items import Item, apply_item
from state.letters import PRICES_LIMIT

LOW = 3


def _stock(ts: int, available: int) -> StockChanged:
    return StockChanged(event_id=f"e{ts}", ts=ts, sku="k1", available=available)


@given(st.lists(st.integers(0, 8), max_size=30))
def test_edges_are_falls_to_the_threshold_and_returns_from_nothing(levels: list[int]) -> None:
    item = Item()
    edges = [apply_item(item, _stock(ts, level), LOW) for ts, level in enumerate(levels)]
    found = [edge for edge in edges if isinstance(edge, StockEdge)]
    expected: list[tuple[int, str, int]] = []
    out_since = 0
    for ts, level in enumerate(levels):
        before = levels[ts - 1] if ts else None
        if level == 0 and before != 0:
            out_since = ts
        if before is not None and before > LOW and 0 < level <= LOW:
            expected.append((ts, "low", 0))
        if before == 0 and level > 0:
            expected.append((ts, "back", out_since))
    assert [(edge.ts, edge.edge, edge.since) for edge in found] == expected
    assert all(edge.available == levels[edge.ts] and edge.event_id == f"e{edge.ts}" for edge in found)


@given(st.permutations([_stock(ts, level) for ts, level in enumerate((9, 2, 0, 7, 1))]))
def test_the_newest_fact_wins_in_any_order(history: list[StockChanged]) -> None:
    item = Item()
    for event in history:
        apply_item(item, event, LOW)
    assert (item.available, item.stock_at) == (1, 4)


@pytest.mark.parametrize("first", [0, 1, 3])
def test_a_sku_never_seen_before_has_no_edge(first: int) -> None:
    assert apply_item(Item(), _stock(5, first), LOW) is None


def test_news_older_than_the_fact_is_no_edge() -> None:
    item = Item()
    apply_item(item, _stock(5, 9), LOW)
    assert apply_item(item, _stock(4, 1), LOW) is None
    assert item.available == 9


def test_with_threshold_zero_nothing_is_ever_low() -> None:
    item = Item()
    edges = [apply_item(item, _stock(ts, level), 0) for ts, level in enumerate((5, 1, 0, 4))]
    assert [edge.edge for edge in edges if isinstance(edge, StockEdge)] == ["back"]


def _price(ts: int, price: int) -> PriceChanged:
    return PriceChanged(event_id=f"p{ts}", ts=ts, sku="k1", price=price)


@given(st.lists(st.integers(1, 6), max_size=40))
def test_a_price_has_an_edge_when_it_becomes_known_and_when_it_falls(prices: list[int]) -> None:
    item = Item()
    found = [apply_item(item, _price(ts, price), LOW, tell_falls=True) for ts, price in enumerate(prices)]
    edges = [edge for edge in found if isinstance(edge, PriceEdge)]
    assert [edge.ts for edge in edges] == [
        ts for ts, price in enumerate(prices) if ts == 0 or price < prices[ts - 1]
    ]
    assert all(edge.prices[-1] == (edge.ts, edge.price) for edge in edges)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=40))
def test_an_item_knows_the_last_prices_and_since_when(prices: list[int]) -> None:
    item = Item()
    for ts, price in enumerate(prices):
        apply_item(item, _price(ts, price), LOW)
    changes = [(ts, price) for ts, price in enumerate(prices) if ts == 0 or price != prices[ts - 1]]
    assert item.prices == changes[-PRICES_LIMIT:]


def test_a_price_known_before_prices_were_kept_is_the_first_of_them() -> None:
    item = Item(price=100, price_at=5)
    edge = apply_item(item, _price(9, 90), LOW, tell_falls=True)
    assert isinstance(edge, PriceEdge)
    assert edge.prices == ((5, 100), (9, 90))


def test_prices_move_without_edges_and_never_back_in_time() -> None:
    item = Item()
    for ts, price in ((5, 100), (4, 90), (6, 80)):
        event = PriceChanged(event_id=f"e{ts}", ts=ts, sku="k1", price=price)
        assert apply_item(item, event, LOW) is None
    assert (item.price, item.price_at) == (80, 6)


def test_the_category_is_kept_when_news_does_not_name_it() -> None:
    item = Item()
    apply_item(item, StockChanged(event_id="e1", ts=1, sku="k1", available=1, category="tea"), LOW)
    apply_item(item, _stock(2, 1), LOW)
    assert item.category == "tea"


def test_of_two_facts_of_one_moment_the_one_read_later_counts() -> None:
    item = Item()
    for name, available in (("a", 5), ("b", 0)):
        apply_item(item, StockChanged(event_id=name, ts=7, sku="k1", available=available), LOW)
    for name, price in (("a", 5), ("b", 4)):
        apply_item(item, PriceChanged(event_id=name, ts=7, sku="k1", price=price), LOW)
    assert (item.available, item.price) == (0, 4)
