"""Does a shard forget only what it can read again, and does it forget at all?"""

from __future__ import annotations

from connectors.publisher import Resumed
from flows.merge import Merge
from flows.shard import Shard
from state.items import Item
from state.ledger import Opened

LIMIT = 8


def shard() -> Shard:
    opened = Opened(version=1, marks={}, clock=-1, seq=0, trimmed_to="", outbox=[])
    return Shard(0, "a", opened, Resumed([], ""), Merge([]), timers=10, users=LIMIT)


def test_items_are_bounded_though_there_are_few_users() -> None:
    held = shard()
    for number in range(10 * LIMIT):
        held.items[f"k{number}"] = Item()
        held.evict()
    assert len(held.items) <= LIMIT


def test_an_item_whose_change_is_not_in_the_ledger_yet_stays() -> None:
    held = shard()
    changed = held.items["k0"] = held.changed_items["k0"] = Item(available=3)
    for number in range(1, 10 * LIMIT):
        held.items[f"k{number}"] = Item()
    for number in range(10 * LIMIT):
        held.admit(f"u{number}", None)
    held.evict()
    assert held.items["k0"] is changed
