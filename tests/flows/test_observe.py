"""Do the gauges say what is so, also of shards that went elsewhere and while the flow waits for a server?"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from connectors import metrics
from connectors.file_log import FileLog
from connectors.log import InputLog
from connectors.publisher import Progress, Resumed
from flows.merge import Merge
from flows.observe import Backlog, Observer, note_orders, note_reopened
from flows.shard import Shard, ShardBatch
from state.events import TOPICS, Line, OrderPaid, OrderPlaced
from state.ledger import Opened

BEGINNING = 1_790_000_000  # Unix seconds


class Clock:
    def __init__(self) -> None:
        self.now = float(BEGINNING)

    def go_on(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    read = SimpleNamespace(time=lambda: clock.now, monotonic=lambda: clock.now)
    monkeypatch.setattr("flows.observe.time", read)
    return clock


@pytest.fixture
def source(tmp_path: Path) -> InputLog:
    topics = dict.fromkeys(TOPICS, "")
    return FileLog(tmp_path, topics, partitions=2, shards=[0, 1], batch_records=10, max_bytes=1000)


def shard_of(number: int = 0) -> Shard:
    merge = Merge([("clickstream", number), ("orders", number)], BEGINNING * 1000)
    return Shard(number, "me", Opened(0, {}), Resumed([], ""), merge, timers=1, users=1)


def look(observer: Observer, *shards: Shard, waiting: bool = False) -> None:
    batches = [ShardBatch(shard, [], {}, shard.watermark, -1) for shard in shards]
    observer.look(batches, shards, caught_up=True, waiting=waiting)


def value(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(f"beckon_{name}", labels)


def push(shard: Shard, role: str, *times: int) -> None:
    offsets = list(range(len(times)))
    shard.merge.queues[role, 0].push(["event"] * len(times), [ts * 1000 for ts in times], offsets, 0)


def at_its_end(shard: Shard, role: str, clock: Clock) -> None:
    queue = shard.merge.queues[role, 0]
    queue.end_known(clock.now)
    queue.look(clock.now, int(clock.now * 1000), 1.0)


def test_the_lag_is_the_age_of_the_oldest_event_that_waits(clock: Clock, source: InputLog) -> None:
    observer, shard = Observer(source), shard_of()
    push(shard, "orders", BEGINNING - 600, BEGINNING - 10)
    at_its_end(shard, "clickstream", clock)
    look(observer, shard)
    assert value("source_lag_seconds", topic="orders") == 600
    assert value("source_lag_seconds", topic="clickstream") == 0

    shard.merge.queues["orders", 0].take(BEGINNING * 1000)
    clock.go_on(5)
    at_its_end(shard, "clickstream", clock)
    look(observer, shard)
    assert value("source_lag_seconds", topic="orders") == 15  # not at its end: later events may be there
    at_its_end(shard, "orders", clock)
    clock.go_on(1)
    at_its_end(shard, "orders", clock)
    look(observer, shard)
    assert value("source_lag_seconds", topic="orders") == 0


def test_the_lag_grows_while_nobody_looks(clock: Clock, source: InputLog) -> None:
    observer, shard = Observer(source), shard_of()
    at_its_end(shard, "orders", clock)
    look(observer, shard)
    clock.go_on(300)
    assert value("source_lag_seconds", topic="orders") == 300
    look(observer, waiting=True)
    assert value("source_lag_seconds", topic="orders") == 300


def test_a_quiet_topic_whose_end_nobody_confirms_is_as_late_as_the_last_confirmation(
    clock: Clock, source: InputLog
) -> None:
    observer, shard = Observer(source), shard_of()
    push(shard, "orders", BEGINNING - 7200)
    shard.merge.queues["orders", 0].take(BEGINNING * 1000)
    at_its_end(shard, "orders", clock)
    clock.go_on(3)
    shard.merge.queues["orders", 0].look(clock.now, int(clock.now * 1000), 1.0)
    look(observer, shard)
    assert value("source_lag_seconds", topic="orders") == 3


def test_a_shard_that_went_elsewhere_is_shown_no_more(clock: Clock, source: InputLog) -> None:
    observer, here, gone = Observer(source), shard_of(0), shard_of(1)
    here.watermark = gone.watermark = BEGINNING * 1000
    look(observer, here, gone)
    assert value("watermark_timestamp_seconds", shard="1") == BEGINNING
    clock.go_on(2)
    look(observer, waiting=True)
    assert value("watermark_timestamp_seconds", shard="1") == BEGINNING  # it may come back
    clock.go_on(2)
    look(observer, here)
    assert value("watermark_timestamp_seconds", shard="0") == BEGINNING
    assert value("watermark_timestamp_seconds", shard="1") is None


def test_the_longest_wait_in_an_outbox_is_that_of_the_record_at_its_head(clock: Clock) -> None:
    held, waiting = [shard_of()], False
    backlog = Backlog(lambda: held, lambda: waiting)
    assert (backlog.entries(), backlog.since()) == (0, BEGINNING)
    clock.go_on(2)
    for name in ("first", "second"):
        held[0].write("triggers", name, b"u", b"{}", [])
    assert (backlog.entries(), backlog.since()) == (2, BEGINNING + 2)
    clock.go_on(60)
    assert backlog.since() == BEGINNING + 2
    held[0].outbox.fresh.pop(0)  # out
    assert (backlog.entries(), backlog.since()) == (1, BEGINNING + 62)


def test_what_was_in_an_outbox_that_was_given_up_still_waits_unless_others_have_it(clock: Clock) -> None:
    held, waiting = [shard_of()], True
    backlog = Backlog(lambda: held, lambda: waiting)
    held[0].write("triggers", "first", b"u", b"{}", [])
    assert (backlog.entries(), backlog.since()) == (1, BEGINNING)
    held.clear()
    clock.go_on(60)
    assert (backlog.entries(), backlog.since()) == (1, BEGINNING)
    waiting = False
    assert (backlog.entries(), backlog.since()) == (0, BEGINNING + 60)


def test_a_process_that_is_well_and_has_no_shard_is_not_stale(clock: Clock, source: InputLog) -> None:
    observer = Observer(source)
    metrics.LAST_COMMIT.set(0)
    look(observer, waiting=True)
    assert value("last_commit_timestamp_seconds") == 0
    clock.go_on(2)
    look(observer)
    assert (value("last_commit_timestamp_seconds") or 0) > 0
    assert value("source_lag_seconds", topic="orders") is None


def test_order_events_are_counted_by_what_they_tell_of() -> None:
    def counted() -> dict[str, int]:
        return {step: metrics.total(metrics.ORDERS, step=step) for step in ("order_placed", "order_paid")}

    before = counted()
    placed = OrderPlaced(
        event_id="e1", ts=1, user_id="u", order_id="o", lines=(Line(sku="k", quantity=1),), total=1
    )
    paid = OrderPaid(event_id="e2", ts=1, user_id="u", order_id="o")
    note_orders([placed, paid, paid, "a dead letter"])
    assert counted() == {"order_placed": before["order_placed"] + 1, "order_paid": before["order_paid"] + 2}


def test_what_will_be_read_again_is_what_lies_between_the_store_and_what_is_out() -> None:
    before = metrics.total(metrics.REPLAYED_EVENTS)
    opened = {0: Opened(1, {"orders/0": 7, "clickstream/0": 100})}
    horizon = Progress({"orders/0": 9, "clickstream/0": 90, "customers/0": 4})
    note_reopened(opened, {0: Resumed([], "", horizon=horizon)})
    assert metrics.total(metrics.REPLAYED_EVENTS) == before + 2 + 5
