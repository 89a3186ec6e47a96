"""Does what is removed from a cart stay out of mind, and does a line that came twice count once?

Real lines, replayed by `beckon replay`, against a table of them in pandas (acts.py) that shares no code with beckon.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.integration.installation import lines_of, replayed
from tests.real_data import jdata, outcome
from tests.real_data.acts import MINUTE, cart_reminders, first_orders, known

DELAYS = (30, 90)  # minutes; the lines cover three hours
SETTINGS: Mapping[str, Any] = {
    "policy": {"enabled": False},
    "rules": {"cart_abandoned": {"delay": f"{DELAYS[0]}m", "second_delay": f"{DELAYS[1]}m"}},
}
SILENT = {"payment_pending", "low_stock", "back_in_stock", "churn_risk", "winback", "first_order_nudge"}


@pytest.fixture(scope="module")
def acts() -> pd.DataFrame:
    return jdata.acts(jdata.lines())


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return replayed(tmp_path_factory.mktemp("jdata"), jdata.records(), SETTINGS)


def test_the_lines_hold_what_these_tests_are_about() -> None:
    lines = jdata.lines()
    assert (len(lines), int(lines.duplicated().sum())) == (jdata.LINES, jdata.COPIES)
    assert set(lines[lines.duplicated()]["type"].map(str)) == set(jdata.KINDS)


def test_carts_are_told_of_when_nobody_touched_them(acts: pd.DataFrame, out: Path) -> None:
    expected = cart_reminders(acts, [delay * MINUTE for delay in DELAYS])
    assert {told.step for told in expected} == {1, 2}
    assert outcome.told(out, "cart_abandoned") == expected


def test_what_was_removed_is_not_told_of(acts: pd.DataFrame, out: Path) -> None:
    """Whoever forgets the removals tells more people of their carts."""
    forgetful = cart_reminders(acts[acts["kind"] != "remove"], [delay * MINUTE for delay in DELAYS])
    found = outcome.told(out, "cart_abandoned")
    assert {told.user_id for told in found} < {told.user_id for told in forgetful}


def test_everybody_is_known_as_the_lines_say(acts: pd.DataFrame, out: Path) -> None:
    """Views, orders, money, first and last seen, and what is in the cart; of all copies of a line only one counts."""
    assert outcome.differing(outcome.known(out), known(acts)) == {}


def test_who_bought_first_is_welcomed_at_once_and_becomes_a_new_customer(
    acts: pd.DataFrame, out: Path
) -> None:
    expected = first_orders(acts)
    assert outcome.told(out, "welcome_pack") == expected
    assert outcome.told(out, "stage_changed") == expected


def test_nothing_is_said_without_a_cause(out: Path) -> None:
    assert not SILENT & outcome.rules_that_spoke(out)
    assert lines_of(out / "dead_letters.jsonl") == []
