"""Do rules and policy change while the flow runs, all of it or nothing, and the same wherever the process dies?"""

from __future__ import annotations

import contextlib
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.problem import ConfigError, Problem
from config.settings import Settings
from flows.rulebook import Written
from flows.station import Station
from state.memory_ledger import MemoryLedger
from state.redis_ledger import StoreUnavailable
from tests.flows.flow import DAY, HOUR, MINUTE, Flow, added, event, viewed
from tests.flows.test_any_way import said_by

OLD = ("rules.cart_abandoned.delay=1h", "rules.cart_abandoned.second_delay=24h", "engine.batch_records=1")
NEW = ("rules.cart_abandoned.delay=3h", "rules.cart_abandoned.second_delay=4h",
       "rules.cart_abandoned.valid_for=5h", "policy.enabled=true",
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
    lives_for = {
        t["data"]["user_id"]: datetime.fromisoformat(t["expirytime"]) - datetime.fromisoformat(t["time"])
        for t in changing.flow.triggers("cart_abandoned")
    }
    assert (lives_for["u1"], lives_for["u3"]) == (timedelta(hours=12), timedelta(hours=5))
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


class Forgetful(MemoryLedger):
    """A store that goes away once, and comes back without the settings it was told last."""

    gone = False

    def finish_commits(self) -> list[bool]:
        answers = super().finish_commits()
        if answers and not self.gone:
            self.gone = True
            self.keep_stanzas({}, [*self.stanzas()])
            raise StoreUnavailable("away")
        return answers


def test_a_store_that_has_forgotten_the_settings_is_told_again(tmp_path: Path) -> None:
    flow = Flow(tmp_path)
    flow.ledger = Forgetful(10)
    flow.write(added(0), viewed(DAY, "u2"))
    flow.run()
    assert flow.ledger.gone
    assert "cart_abandoned:0" in flow.ledger.stanzas()
    assert flow.triggers("cart_abandoned")
