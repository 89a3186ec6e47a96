"""Is every one of fifty thousand people known as the log says, and does a broken line harm nobody?

Real lines, replayed by `beckon replay`, against a table of them in pandas (acts.py) that shares no code with beckon.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.integration.installation import lines_of, replayed
from tests.real_data import outcome, taobao
from tests.real_data.acts import MINUTE, cart_reminders, first_orders, known

DELAYS = (30, 60)  # minutes; the lines cover two hours
SETTINGS: Mapping[str, Any] = {
    "policy": {"enabled": False},
    "rules": {"cart_abandoned": {"delay": f"{DELAYS[0]}m", "second_delay": f"{DELAYS[1]}m"}},
}
SILENT = {"payment_pending", "low_stock", "back_in_stock", "churn_risk", "winback", "first_order_nudge"}


@pytest.fixture(scope="module")
def acts() -> pd.DataFrame:
    return taobao.acts(taobao.lines())


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return replayed(tmp_path_factory.mktemp("taobao"), taobao.records(), SETTINGS)


def test_the_lines_hold_what_these_tests_are_about(acts: pd.DataFrame) -> None:
    lines = taobao.lines()
    assert len(lines) == taobao.LINES == len(acts) + 1
    assert ",".join(lines.iloc[-1].map(str)) == taobao.CUT_LINE


def test_carts_are_told_of_when_nobody_touched_them(acts: pd.DataFrame, out: Path) -> None:
    expected = cart_reminders(acts, [delay * MINUTE for delay in DELAYS])
    assert {told.step for told in expected} == {1, 2}
    assert outcome.told(out, "cart_abandoned") == expected


def test_everybody_is_known_as_the_lines_say(acts: pd.DataFrame, out: Path) -> None:
    """Views, orders, money, first and last seen, and what is in the cart."""
    assert outcome.differing(outcome.known(out), known(acts)) == {}


def test_who_bought_first_is_welcomed_at_once_and_becomes_a_new_customer(
    acts: pd.DataFrame, out: Path
) -> None:
    expected = first_orders(acts)
    assert outcome.told(out, "welcome_pack") == expected
    assert outcome.told(out, "stage_changed") == expected


def test_the_line_that_breaks_off_is_a_dead_letter_as_it_came(acts: pd.DataFrame, out: Path) -> None:
    clicks = int((acts["kind"] != "order").sum())
    (dead,) = lines_of(out / "dead_letters.jsonl")
    assert (dead["topic"], dead["partition"], dead["offset"]) == ("clickstream", 0, clicks)
    assert dead["reason"] == "malformed"
    assert base64.b64decode(dead["value_base64"]) == taobao.CUT_RECORD


def test_nothing_is_said_without_a_cause(out: Path) -> None:
    assert not SILENT & outcome.rules_that_spoke(out)
