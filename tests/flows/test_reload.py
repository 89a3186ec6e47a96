"""Do rules and policy change while the flow runs, all of it or nothing, and the same wherever the process dies?"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.load import load
from config.problem import ConfigError, Problem
from config.settings import Settings
from connectors import metrics
from flows.rulebook import Rulebook, Written
from flows.station import Station
from state.memory_ledger import MemoryLedger
from state.redis_ledger import StoreUnavailable
from tests.flows.flow import DAY, HOUR, MINUTE, Flow, added, event, viewed
from tests.flows.test_any_way import said_by

OLD = ("rules.cart_abandoned.delay=1h", "rules.cart_abandoned.second_delay=24h", "engine.batch_records=1")
NEW = ("rules.cart_abandoned.delay=3h", "rules.cart_abandoned.second_delay=4h", "policy.enabled=true",
       "policy.consent.implied_channels=[app_push]", "policy.quiet_hours.zone=UTC")  # fmt: skip


class _Killed(Exception):
    """A process that is no more."""


class Changing:
    """A flow whose settings become others once so many records are in the ledger, as if the file had changed then."""

    def __init__(self, directory: Path, at: int, history: list[dict[str, Any]]) -> None:
        self.flow = Flow(directory, *OLD)
        self.flow.write(*history)
        self._at = at
        self._changed = False
        self._station: Station | None = None
        self.flow.written = Written(lambda: self.flow.settings, asked=self._asked)

    def run(self, steps: int | None = None) -> None:
        """To the end, or as a process that is killed after so many steps."""

        def see(station: Station, number: int) -> None:
            self._station = station
            if number + 1 == steps:
                raise _Killed

        self._station = None
        with contextlib.suppress(_Killed):
            self.flow.run(see)

    def _asked(self) -> bool:
        """Everything is in the ledger at that moment: what is not would be decided anew by the new settings."""
        if self._changed:
            return False
        if self._station is not None:
            self._station.finish()
        if sum(mark + 1 for mark in self.flow.ledger.peek(0).marks.values()) < self._at:
            return False
        self._changed = True
        self.flow.change(*NEW)
        return True


GAPS = [1000, 20 * MINUTE, 50 * MINUTE, 2 * HOUR, 25 * HOUR, 4 * DAY]


@st.composite
def clicks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Of one topic, so that a record is a round."""
    step = st.tuples(st.sampled_from(["add", "add", "clear", "view"]), st.sampled_from(["u1", "u2"]),
                     st.sampled_from(GAPS))  # fmt: skip
    at, said = 0, []
    for kind, user, gap in draw(st.lists(step, min_size=3, max_size=20)):
        at += gap
        if kind == "clear":
            said.append(event("cart_cleared", at, user))
        else:
            said.append(added(at, user) if kind == "add" else viewed(at, user))
    return said


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(clicks(), st.integers(1, 18), st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_the_same_log_changed_at_the_same_record_says_the_same_wherever_it_dies(
    history: list[dict[str, Any]], at: int, lives: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        undisturbed = Changing(Path(directory) / "undisturbed", at, history)
        undisturbed.run()
        killed = Changing(Path(directory) / "killed", at, history)
        for steps in lives:
            killed.run(steps)
        killed.run()
        assert said_by(killed.flow) == said_by(undisturbed.flow)
        assert killed.flow.users() == undisturbed.flow.users()


def test_an_episode_that_runs_keeps_its_settings_also_over_a_restart(tmp_path: Path) -> None:
    changing = Changing(
        tmp_path, 1, [added(0, "u1"), viewed(MINUTE, "u2"), added(2 * MINUTE, "u3"), viewed(DAY, "u4")]
    )
    changing.run(9)
    changing.run()
    told = {(t["data"]["user_id"], t["data"]["reason"]) for t in changing.flow.triggers("cart_abandoned")}
    assert told >= {("u1", "cart untouched for 1 h"), ("u3", "cart untouched for 3 h")}
    assert ("u1", "cart untouched for 3 h") not in told
    stanzas = {d["user_id"]: d["inputs"]["stanza"] for d in changing.flow.lines("decisions")}
    assert stanzas["u1"] != stanzas["u3"]


def test_a_rule_switched_on_speaks_from_the_next_event_of_a_user_on(tmp_path: Path) -> None:
    flow = Flow(tmp_path, "rules.cart_abandoned.enabled=false")
    flow.write(added(0, "u1"), added(0, "u2"))
    flow.run()
    flow.change("rules.cart_abandoned.enabled=true")
    flow.write(added(MINUTE, "u2"), viewed(DAY, "u3"))
    flow.run()
    assert {t["data"]["user_id"] for t in flow.triggers("cart_abandoned")} == {"u2"}


# what is refused, and when it is looked at


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


def test_readiness_says_that_the_configuration_was_refused_and_stays_green(tmp_path: Path) -> None:
    flow = Flow(tmp_path)
    asks = iter([True])

    def read() -> Settings:
        raise ConfigError([Problem("app", "is bad")])

    flow.written = Written(read, asked=lambda: next(asks, False))
    flow.write(added(0), viewed(DAY, "u2"))
    seen: list[tuple[bool, str]] = []
    flow.run(lambda station, _: seen.append(station.ready))
    assert (
        True,
        "1 shard owned; the configuration was refused with 1 error, the one before is in force",
    ) in seen
    assert flow.triggers("cart_abandoned")
