"""Are recency, frequency and money of every customer exactly what a batch over all lines says?

The batch is pandas over the raw lines; what is measured is `beckon replay` over orders that arrive up to an
hour out of order, read to the end of three months.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from state.calendar import iso
from tests.integration.installation import Installation, lines_of, write_history
from tests.other_rules import others
from tests.real_data import online_retail

SEED = 20111209
WINDOWS_DAYS = (7, 30, 90, 365)
MONTH_ENDS = [
    datetime(2011, 3, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2011, 9, 30, 23, 59, 59, tzinfo=UTC),
    datetime(2011, 12, 31, 23, 59, 59, tzinfo=UTC),  # by then every customer has been seen
]
SETTINGS: Mapping[str, Any] = {
    "policy": {"enabled": False},
    "input": {"currency": "GBP"},
    "rules": {rule: {"enabled": False} for rule in others()},  # sums of money need none
}
Expected = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    found = online_retail.valid_lines()
    assert len(found) == online_retail.LINES
    return found


@pytest.fixture(scope="module")
def history(lines: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The input of `beckon replay`."""
    directory = tmp_path_factory.mktemp("history")
    records = online_retail.shuffled(online_retail.orders(lines), SEED)
    assert len(records) == 2 * lines["invoice"].nunique()
    write_history(directory, records)
    return directory


def batch(lines: pd.DataFrame, now: datetime) -> Expected:
    """What a profile's `rfm` must say of everybody at `now`."""
    lines = lines.assign(pence=(lines["quantity"] * lines["price"] * 100).round().astype("int64"))
    orders = lines.groupby(["user", "invoice"]).agg(at=("at", "min"), pence=("pence", "sum")).reset_index()
    orders = orders[orders["at"] <= now]
    whole = orders.groupby("user").agg(last=("at", "max"), orders=("at", "size"), pence=("pence", "sum"))
    expected: Expected = {
        str(user): {
            "last_order_at": iso(int(last.timestamp() * 1000)),
            "orders": count,
            "net_amount": pence,
            "windows": {},
        }
        for user, last, count, pence in whole.itertuples(name=None)
    }
    for width in WINDOWS_DAYS:
        first = (pd.Timestamp(now) - pd.Timedelta(days=width)).normalize()
        within = orders[orders["at"] >= first].groupby("user")["pence"].agg(["size", "sum"])
        by_user = {str(user): (count, pence) for user, count, pence in within.itertuples(name=None)}
        for user, profile in expected.items():
            count, pence = by_user.get(user, (0, 0))
            profile["windows"][f"{width}d"] = {"orders": count, "net_amount": pence}
    return expected


@pytest.mark.parametrize("now", MONTH_ENDS, ids=lambda now: f"{now:%Y-%m}")
def test_rfm_of_every_customer_at_the_end_of_a_month(
    now: datetime, lines: pd.DataFrame, history: Path, tmp_path: Path
) -> None:
    with Installation(tmp_path, SETTINGS) as installation:
        installation.run("replay", history, tmp_path / "out", "--until", now.isoformat())
    assert lines_of(tmp_path / "out" / "dead_letters.jsonl") == []
    expected = batch(lines, now)
    compared = ("last_order_at", "orders", "net_amount", "windows")
    found = {
        profile["user_id"]: {name: profile["rfm"][name] for name in compared}
        for profile in lines_of(tmp_path / "out" / "profiles.jsonl")
    }
    assert found == expected
    if now == MONTH_ENDS[-1]:
        assert len(found) == online_retail.USERS
