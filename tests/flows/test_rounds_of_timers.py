"""Is everybody told what was so when they were due, however many come due at once and however few a round takes?"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from flows import assemble
from flows.assemble import Choices
from flows.station import Station
from state.memory_ledger import MemoryLedger
from tests.flows.flow import DAY, HOUR, MINUTE, START, Flow, added, event, settings_of, viewed
from tests.flows.test_calls import alert, settles
from tests.other_rules import others

CART = "rules.cart_abandoned.delay=1h"
ONE_STEP = "rules.cart_abandoned.second_delay=null"


@pytest.mark.parametrize("apart", [0, 1, 1000])
@pytest.mark.parametrize("loaded", [1, 3, 30])
@pytest.mark.parametrize("batch", [1, 7, 50])
def test_all_find_the_shop_as_it_was_when_they_were_due(
    tmp_path: Path, apart: int, loaded: int, batch: int
) -> None:
    """Also those who are due at one moment, of whom a round takes some; 5 s are the jitter allowed."""
    rounds: list[int] = []
    flow = Flow(tmp_path, CART, ONE_STEP, f"engine.loaded_timers={loaded}", f"engine.batch_records={batch}")
    last_due = HOUR + 2 + 39 * apart
    flow.write(
        event("stock_changed", 1, None, sku="k1", available=2),
        *(added(2 + n * apart, f"u{n}") for n in range(40)),
        event("stock_changed", last_due + 5001, None, sku="k1", available=50),
        viewed(DAY, "late"),
    )
    before: set[str | None] = set()

    def look(station: Station, _: int) -> None:
        """How many are told anew; those of earlier rounds may still wait for their commit."""
        nonlocal before
        told = {entry.user_id for entry in station.shards[0].outbox.fresh}
        rounds.append(len(told - before))
        before = told

    flow.run(look)
    found = [t["data"].get("low_stock") for t in flow.triggers("cart_abandoned")]
    assert found == [{"k1": 2}] * 40
    assert max(rounds) <= 2 * batch, "as many as are woken and as have an event"


@pytest.mark.parametrize("batch", [1, 2, 5, 4000])
@pytest.mark.parametrize("loaded", [2, 3, 5000])
def test_also_where_many_are_called_meanwhile(tmp_path: Path, loaded: int, batch: int) -> None:
    small = ONE_STEP, f"engine.loaded_timers={loaded}", f"engine.batch_records={batch}"
    rules = [f"rules.{rule}.enabled=false" for rule in others("cart_abandoned", "weather_scene")]
    flow, due = Flow(tmp_path, *rules, *small), 10 * DAY
    flow.write(event("stock_changed", 1, None, sku="k1", available=2))
    flow.write(*(each for n in range(8) for each in settles(n, f"a{n}")))
    flow.write(added(due - HOUR, "x"), viewed(due - HOUR + 1, "z"))
    flow.run()
    flow.write(alert(due - HOUR + 2, starts=13 * HOUR - 2 - MINUTE))
    flow.write(event("stock_changed", due + 10 * MINUTE, None, sku="k1", available=50))
    flow.write(viewed(20 * DAY, "z"), viewed(20 * DAY + 1, "z"))
    flow.run()
    (told,) = (t["data"] for t in flow.triggers("cart_abandoned"))
    assert (told["user_id"], told["low_stock"]) == ("x", {"k1": 2})
    assert len(flow.triggers("weather_scene")) == 8


def test_a_shard_that_opens_knows_its_timers_before_the_first_round(tmp_path: Path) -> None:
    """A round later two shards may read what one of them has to tell the other in another order."""
    flow = Flow(tmp_path, CART, ONE_STEP)
    flow.write(added(0), viewed(1, "u2"))
    flow.run()
    flow.write(viewed(2 * HOUR, "u2"))
    clocks: list[int] = []
    flow.run(lambda station, _: clocks.append(station.clock))
    assert clocks[0] == START + 2 * HOUR
    assert [t["subject"] for t in flow.triggers("cart_abandoned")] == ["u1"]


@pytest.mark.parametrize("restarted", [False, True])
def test_events_wait_for_no_timer_while_time_does_not_pass(tmp_path: Path, restarted: bool) -> None:
    """Live, with topics in which nothing comes: until they are idle (`time.idle_after`, 5 s) no time passes there."""
    settings = settings_of("state.kind=memory", f"files.directory={tmp_path}")
    ledger = MemoryLedger(10)
    waited: list[float] = []
    for life in range(1 + restarted):
        choices = Choices(should_stop=lambda: False)
        source = assemble.log_of(settings, choices)
        publisher = assemble.publisher_of(settings, source, choices)
        station = assemble.station_of(settings, source, ledger, publisher, choices)
        for number in range(3):
            said = event("product_viewed", 0, event_id=f"e{life}-{number}", sku="k1") | {
                "ts": time.time_ns() // 10**6
            }
            with (tmp_path / "clickstream.jsonl").open("ab") as file:
                file.write(msgspec.json.encode(said) + b"\n")
            written, applied = time.monotonic(), False
            while not applied and time.monotonic() < written + 3:
                batches = station.next_round() or []
                applied = any(batch.items for batch in batches)
                station.apply(batches)
                station.publish()
            waited.append(time.monotonic() - written)
        station.finish()
        station.publish()
        source.close()
    assert max(waited) < 1.0, waited
