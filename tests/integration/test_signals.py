"""Does SIGTERM or Ctrl-C let the process finish what is in hand, so that nothing is done again afterwards?"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.integration.installation import CART_ONLY, Record, eventually, lines_of, merged, replayed
from tests.integration.shop import KafkaShop
from tests.servers.kafka import KafkaServer

PARTITIONS = 4
TS = 1_750_000_000_000
DRAIN_SECONDS = 10.0
SLOWLY = {"engine": {"batch_records": 4, "commit_interval": "1ms", "commit_age": "1ms"}}


def carts(users: int, pieces: int) -> Iterator[Record]:
    """Everybody puts one piece after another into a cart, some minutes apart; every tenth user buys."""
    for number in range(users * pieces):
        user, ts = f"u{number % users}", TS + number * 1000
        base = {"event_id": f"e{number}", "ts": ts, "user_id": user}
        event = {**base, "type": "cart_item_added", "sku": f"k{number}", "quantity": 1, "price": 100}
        yield "clickstream", user, msgspec.json.encode(event)
        if number % users % 10 == 0:
            lines = [{"sku": f"k{number}", "quantity": 1, "price": 100}]
            order = {**base, "type": "order_placed", "order_id": f"o{number}", "total": 100, "lines": lines}
            yield "orders", user, msgspec.json.encode(order)


def events_applied(said: str) -> int:
    """By the summary with which a run ends."""
    found = re.search(r"^(\d+) events?, \d+ trigger", said, re.MULTILINE)
    assert found is not None, said
    return int(found[1])


@pytest.mark.parametrize("signal", ["terminate", "interrupt"])
def test_in_the_middle_of_the_input(signal: str, kafka: KafkaServer, redis_url: str, tmp_path: Path) -> None:
    records = list(carts(users=2500, pieces=2))
    expected = {
        t["id"] for t in lines_of(replayed(tmp_path / "replay", records, CART_ONLY) / "triggers.jsonl")
    }
    settings = merged(CART_ONLY, SLOWLY)
    with KafkaShop(tmp_path, kafka, redis_url, settings, partitions=PARTITIONS) as shop:
        shop.create_topics()
        total = shop.write(records)
        first = shop.start("run", "--until-caught-up", "--quiet")
        eventually(lambda: shop.marks() > total // 4 or not first.runs, what="a quarter of the records")
        started = time.monotonic()
        getattr(first, signal)()
        assert first.wait(60) == 0, first.said()
        assert time.monotonic() - started < DRAIN_SECONDS
        reached = shop.marks()
        assert total // 4 < reached < total, "it was not in the middle"
        assert events_applied(first.said()) == reached
        assert sum(shop.lag().values()) == total - reached, "the group's offsets are not where the state is"

        second = shop.run("run", "--until-caught-up", "--quiet")
        assert events_applied(second) == total - reached, "something was read again"
        ids = [trigger["id"] for trigger in shop.triggers()]
        assert len(ids) == len(set(ids))
        assert set(ids) == expected
        assert len(expected) > 1000
