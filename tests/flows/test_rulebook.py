"""When does a running process read its settings again, and what does it refuse?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from config.load import load
from config.problem import ConfigError, Problem
from config.settings import Settings
from connectors import metrics
from flows.rulebook import Rulebook, Written
from state.memory_ledger import MemoryLedger
from state.redis_ledger import StoreUnavailable
from tests.flows.flow import HOUR


class Operator:
    """A rulebook with a file, a hand on its clock, and what an operator writes."""

    def __init__(self, path: Path, ledger: MemoryLedger | None = None) -> None:
        self.path, self.now, self.asks, self.reads = path, 0.0, False, 0
        path.write_text("")
        self.rulebook = Rulebook(
            load(path, {}, []), ledger or MemoryLedger(10), Written(self._read, path, self._asked),
            monotonic=lambda: self.now,
        )  # fmt: skip

    def _read(self) -> Settings:
        self.reads += 1
        return load(self.path, {}, [])

    def _asked(self) -> bool:
        asks, self.asks = self.asks, False
        return asks

    def write(self, text: str) -> None:
        self.path.write_text(text)
        os.utime(self.path, ns=(0, self.path.stat().st_mtime_ns + 1_000_000))

    def pass_looks(self, looks: int) -> None:
        for _ in range(looks):
            self.now += 5.0
            self.rulebook.turn()

    def hang_up(self) -> None:
        self.asks = True
        self.rulebook.turn()

    @property
    def delay(self) -> int:
        params: Any = self.rulebook.plan.armed["cart_abandoned"].params
        return int(params.delay)


@pytest.fixture
def desk(tmp_path: Path) -> Operator:
    return Operator(tmp_path / "shop.yaml")


def delay(text: str) -> str:
    return f"rules: {{cart_abandoned: {{delay: {text}}}}}\n"


def test_a_file_that_has_changed_is_taken_once_nobody_writes_it_any_more(desk: Operator) -> None:
    plan = desk.rulebook.plan
    desk.pass_looks(2)
    desk.write("rules: {}")
    desk.pass_looks(1)
    desk.write(delay("2h"))
    desk.pass_looks(1)
    assert desk.delay == HOUR, "it is still being written"
    desk.pass_looks(1)
    assert desk.delay == 2 * HOUR
    assert desk.rulebook.plan is plan, "everybody holds this one"
    reads = desk.reads
    desk.pass_looks(3)
    assert desk.reads == reads, "nothing has changed since"


def test_between_looks_and_without_a_reason_nothing_is_read(desk: Operator) -> None:
    desk.pass_looks(2)
    reads = desk.reads
    desk.write(delay("2h"))
    for _ in range(100):
        desk.now += 0.01
        desk.rulebook.turn()
    assert desk.reads == reads


def test_a_hangup_is_answered_at_once(desk: Operator) -> None:
    desk.write(delay("2h"))
    desk.hang_up()
    assert desk.delay == 2 * HOUR


@pytest.mark.parametrize(
    "text",
    [
        "rules: {cart_abandoned: {delay: soon}}",
        "rules: {cart_abandoned: {delay: 2h}}\npolicy: {quiet_hours: {start: 25:00}}",
        "rules: {cart_abandoned: {delay: 2h}}\nkafka: {group_id: other}",
        "rules: {cart_abandoned: {delay: 2h}, no_such_rule: {}}",
        "rules: [",
    ],
)
def test_a_bad_file_changes_nothing_and_is_spoken_of(desk: Operator, text: str) -> None:
    before = dict(desk.rulebook.plan.__dict__)
    refused = metrics.total(metrics.RELOADS, result="refused")
    desk.write(text)
    desk.hang_up()
    assert desk.rulebook.plan.__dict__ == before
    assert desk.rulebook.refused is not None
    assert metrics.total(metrics.RELOADS, result="refused") == refused + 1
    assert metrics.REGISTRY.get_sample_value("beckon_config_valid") == 0
    desk.pass_looks(3)
    assert metrics.total(metrics.RELOADS, result="refused") == refused + 1, "once is enough"
    desk.write(delay("2h"))
    desk.pass_looks(2)
    assert desk.delay == 2 * HOUR
    assert not desk.rulebook.refused
    assert metrics.REGISTRY.get_sample_value("beckon_config_valid") == 1


def test_a_file_that_is_gone_is_refused_and_taken_when_it_is_back(desk: Operator) -> None:
    desk.pass_looks(2)
    desk.path.unlink()
    desk.pass_looks(2)
    assert desk.rulebook.refused is not None
    desk.path.write_text(delay("2h"))
    desk.pass_looks(2)
    assert desk.delay == 2 * HOUR
    assert not desk.rulebook.refused


class Away(MemoryLedger):
    """A store that does not answer while `away`."""

    away = False

    def stanzas(self) -> dict[str, str]:
        if self.away:
            raise StoreUnavailable("away")
        return super().stanzas()


def test_while_the_store_is_away_it_waits_and_tries_again(tmp_path: Path) -> None:
    ledger = Away(10)
    desk = Operator(tmp_path / "shop.yaml", ledger)
    ledger.away = True
    desk.write(delay("2h"))
    desk.hang_up()
    assert desk.delay == HOUR
    ledger.away = False
    desk.pass_looks(1)
    assert desk.delay == 2 * HOUR


def test_what_the_store_has_forgotten_is_kept_again_before_anything_begins_by_it(tmp_path: Path) -> None:
    ledger = MemoryLedger(10)
    desk = Operator(tmp_path / "shop.yaml", ledger)
    desk.write(delay("2h"))
    desk.hang_up()
    kept = ledger.stanzas()
    ledger.keep_stanzas({}, ["cart_abandoned:1"])
    desk.rulebook.renew()
    assert ledger.stanzas() == kept
    assert desk.delay == 2 * HOUR


def test_a_problem_without_a_file_is_a_problem_too() -> None:
    def read() -> Settings:
        raise ConfigError([Problem("app", "is bad")])

    asks = iter([True, False])
    rulebook = Rulebook(load(None, {}, []), MemoryLedger(10), Written(read, asked=lambda: next(asks)))
    rulebook.turn()
    assert rulebook.refused is not None
    rulebook.turn()
