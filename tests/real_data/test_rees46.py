"""Does a purchase that never was in the cart leave the cart alone, and count?

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
from tests.real_data import outcome, rees46
from tests.real_data.acts import MINUTE, cart_reminders, first_orders, known

DELAYS = (5, 15)  # minutes; most lines are of half an hour
SETTINGS: Mapping[str, Any] = {
    "policy": {"enabled": False},
    "input": {"currency": rees46.CURRENCY},
    "orders": {"count_on": "placed"},
    "rules": {"cart_abandoned": {"delay": f"{DELAYS[0]}m", "second_delay": f"{DELAYS[1]}m"}},
}
SILENT = {"payment_pending", "low_stock", "back_in_stock", "churn_risk", "winback", "first_order_nudge"}


@pytest.fixture(scope="module")
def acts() -> pd.DataFrame:
    return rees46.acts(rees46.lines())


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return replayed(tmp_path_factory.mktemp("rees46"), rees46.records(), SETTINGS)


def uncarted(acts: pd.DataFrame) -> pd.DataFrame:
    """The purchases of what that user never put into the cart."""
    carted = pd.MultiIndex.from_frame(acts.loc[acts["kind"] == "cart", ["user", "sku"]])
    bought = acts[acts["kind"] == "order"]
    return bought[~pd.MultiIndex.from_frame(bought[["user", "sku"]]).isin(carted)]


def test_the_lines_hold_what_these_tests_are_about(acts: pd.DataFrame) -> None:
    lines = rees46.lines()
    assert (len(lines), int(lines.duplicated().sum())) == (rees46.LINES, rees46.COPIES)
    assert lines.loc[lines["user_session"].isna(), "user_id"].map(str).to_list() == [rees46.CUT_USER]
    pairs = ["user", "sku"]
    assert len(acts[acts["kind"] == "order"].drop_duplicates(pairs)) == rees46.BOUGHT_PAIRS
    assert len(uncarted(acts).drop_duplicates(pairs)) == rees46.UNCARTED_PAIRS


def test_carts_are_told_of_when_nobody_touched_them(acts: pd.DataFrame, out: Path) -> None:
    """With the quantity and the price that the user saw."""
    expected = cart_reminders(acts, [delay * MINUTE for delay in DELAYS])
    assert {told.step for told in expected} == {1, 2}
    assert outcome.told(out, "cart_abandoned") == expected


def test_a_purchase_without_a_cart_event_leaves_carts_and_their_clocks_alone(
    acts: pd.DataFrame, out: Path
) -> None:
    delays = [delay * MINUTE for delay in DELAYS]
    without = acts.drop(uncarted(acts).index)
    assert outcome.told(out, "cart_abandoned") == cart_reminders(without, delays)
    found, expected = outcome.known(out), known(without)
    assert not {user for user in expected if found[user].cart != expected[user].cart}


def test_everybody_is_known_as_the_lines_say(acts: pd.DataFrame, out: Path) -> None:
    """Views, orders, money, first and last seen, and what is in the cart; a purchase counts with a cart or without."""
    assert outcome.differing(outcome.known(out), known(acts)) == {}


def test_who_bought_first_is_welcomed_at_once_and_becomes_a_new_customer(
    acts: pd.DataFrame, out: Path
) -> None:
    expected = first_orders(acts)
    assert outcome.told(out, "welcome_pack") == expected
    assert outcome.told(out, "stage_changed") == expected


def test_the_line_that_breaks_off_is_a_dead_letter_as_it_came(out: Path) -> None:
    (dead,) = lines_of(out / "dead_letters.jsonl")
    assert (dead["topic"], dead["reason"]) == ("clickstream", "malformed")
    assert base64.b64decode(dead["value_base64"]) == rees46.CUT_RECORD


def test_nothing_is_said_without_a_cause(out: Path) -> None:
    """Nor is money asked for, though no order here is ever paid."""
    assert not SILENT & outcome.rules_that_spoke(out)
