"""Is nothing half done ever committed, and does every shard prove itself? One process's station, step by step."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from config.load import load
from connectors.file_log import FileLog
from connectors.log import LogUnavailable
from connectors.publisher import Fenced, Parcel
from flows import assemble
from flows.alarm import Alarm
from flows.assemble import Choices
from flows.desk import Desk, Refused
from flows.station import Station
from state.ledger import Commit
from state.memory_ledger import MemoryLedger
from state.redis_ledger import StoreUnavailable

T0 = 1_790_000_000_000


class Asked:
    """Whether to stop; the test says."""

    stop = False

    def __call__(self) -> bool:
        return self.stop


class Process:
    """A station over files in `directory` and a ledger in memory."""

    def __init__(self, directory: Path, *overrides: str) -> None:
        chosen = ["state.kind=memory", f"files.directory={directory}", "policy.enabled=false", *overrides]
        settings = load(None, {}, chosen)
        self.stop = Asked()
        choices = Choices(should_stop=self.stop, until_caught_up=True)
        source = assemble.log_of(settings, choices)
        assert isinstance(source, FileLog)
        self.source = source
        self.ledger = MemoryLedger(10)
        self.publisher = assemble.publisher_of(settings, self.source, choices)
        self.station: Station = assemble.station_of(
            settings, self.source, self.ledger, self.publisher, choices
        )

    def close(self) -> None:
        self.publisher.close()
        self.source.close()

    def round(self) -> None:
        self.station.apply(self.station.next_round() or [])


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []

    def begin(*overrides: str) -> Process:
        started.append(Process(tmp_path, *overrides))
        return started[-1]

    yield begin
    for process in started:
        process.close()


def view(number: int, ts: int = T0) -> dict[str, Any]:
    return {"event_id": f"e{number}", "type": "product_viewed", "ts": ts, "user_id": "u1", "sku": "k1"}


def write(directory: Path, topic: str, *events: dict[str, Any]) -> None:
    with (directory / f"{topic}.jsonl").open("ab") as file:
        file.writelines(json.encode(event) + b"\n" for event in events)


def broken(*_: Any, **__: Any) -> None:
    raise RuntimeError("broken")


def test_half_a_batch_is_not_committed_as_the_process_ends(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing the log of a process that failed gives its shards up in order, with what it had applied."""
    write(tmp_path, "clickstream", view(1), view(2))
    process = start()
    monkeypatch.setattr(Alarm, "fire", broken)  # the events are folded by then
    monkeypatch.setattr(Desk, "_count", broken)
    with pytest.raises(RuntimeError, match="broken"):
        process.round()
    process.station.give_up(fenced=False)
    assert process.ledger.user_ids(0) == []
    assert process.ledger.open(0, "next").marks == {}


def test_half_a_batch_is_not_committed_when_stopped_while_the_store_is_away(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "clickstream", view(1), view(2))
    process = start()

    def away(*_: Any, **__: Any) -> None:
        process.stop.stop = True
        raise StoreUnavailable("away")

    monkeypatch.setattr(Desk, "_count", away)
    process.round()
    process.station.finish()
    assert process.ledger.user_ids(0) == []


def test_a_quiet_shard_proves_itself_while_another_is_busy(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(
        "files.partitions=2", "engine.heartbeat=20ms", "engine.commit_interval=0ms", "engine.commit_age=1ms"
    )
    committed: list[int] = []
    begin = process.ledger.begin_commit

    def note(shard: int, commit: Commit) -> None:
        committed.append(shard)
        begin(shard, commit)

    monkeypatch.setattr(process.ledger, "begin_commit", note)
    (tmp_path / "clickstream").mkdir(exist_ok=True)
    with (tmp_path / "clickstream" / "0.jsonl").open("ab", buffering=0) as file:
        number, until = 0, time.monotonic() + 0.2
        while time.monotonic() < until:
            number += 1
            file.write(json.encode(view(number, T0 + number)) + b"\n")
            process.round()
    assert committed.count(0) > 20, "busy all the time"
    assert committed.count(1) > 2


def test_an_item_that_a_rule_asked_for_is_ours_only_if_the_shard_is(start: Start, tmp_path: Path) -> None:
    """As users and timers: Redis may forget the other owner later, and take our commit upon what he wrote."""
    write(tmp_path, "clickstream", view(1))
    process = start()
    process.round()
    desk = process.station._desk
    process.ledger.open(0, "another")
    desk._facts("k1")
    with pytest.raises(Refused):
        desk.process([])


def test_being_fenced_while_giving_up_asks_for_nothing_new(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """We are inside a rebalance then, whose end opens what stays ours; leaving the group in the middle helps nobody."""
    (tmp_path / "clickstream.jsonl").write_bytes(b"bad\n")
    process = start()

    def fenced(parcels: list[Parcel]) -> None:
        raise Fenced("ILLEGAL_GENERATION")

    monkeypatch.setattr(process.publisher, "begin", fenced)
    monkeypatch.setattr(process.source, "reopen", broken)
    process.round()
    process.station.give_up(fenced=False)
    assert not process.station.shards


@pytest.mark.parametrize("step", ["read", "apply", "publish"])
def test_no_trouble_is_being_handled_while_the_log_is_opened_again(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The Kafka client would hold it for ever, with all shards (tests/connectors/test_answers.py)."""
    write(tmp_path, "clickstream", view(1))
    process = start()

    def away(*_: Any, **__: Any) -> None:
        raise LogUnavailable("away")

    place: dict[str, tuple[Any, str]] = {
        "read": (process.source, "poll"),
        "apply": (Desk, "process"),
        "publish": (process.station, "_parcels"),
    }
    monkeypatch.setattr(*place[step], away)
    handled: list[BaseException | None] = []
    monkeypatch.setattr(process.source, "reopen", lambda: handled.append(sys.exception()))
    process.round()
    process.station.publish()
    assert handled == [None]
    assert process.station.trouble is not None


class HoldsItself(StoreUnavailable):
    """As the errors of redis-py do: raised from a variable of its own frame."""

    def __init__(self) -> None:
        super().__init__("away")
        self.itself = self


def test_trouble_that_holds_itself_is_gone_before_the_log_is_open_again(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each attempt of a long outage stays, with the shards that were in hand as it began."""
    write(tmp_path, "clickstream", view(1))
    process = start()
    left: list[int] = []

    def away(*_: Any, **__: Any) -> None:
        raise HoldsItself

    def open_again() -> None:
        left.append(sum(isinstance(each, HoldsItself) for each in gc.get_objects()))
        if len(left) < 3:
            raise HoldsItself

    monkeypatch.setattr(process.source, "poll", away)
    monkeypatch.setattr(process.source, "reopen", open_again)
    gc.collect()
    gc.disable()
    try:
        process.round()
    finally:
        gc.enable()
    assert left == [0, 0, 0]
