"""Are recency, frequency and money of every customer at every month's end exactly what a batch over all lines says?

The batch is pandas over the raw lines, cancelled ones included; what is measured is `beckon replay` over orders and
refunds that arrive up to an hour out of order, every refund told twice, read to the end of each month.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
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
    datetime(2011 + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC) - timedelta(seconds=1)
    for month in range(1, 14)
]
SETTINGS: Mapping[str, Any] = {
    "policy": {"enabled": False},
    "input": {"currency": "GBP"},
    "rules": {rule: {"enabled": False} for rule in others()},  # sums of money need none
}
Expected = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def invoices() -> pd.DataFrame:
    """Every invoice at its first minute; money that goes back is negative, and no order."""
    sold, cancelled = online_retail.valid_lines(), online_retail.cancelled_lines()
    assert (len(sold), len(cancelled)) == (online_retail.LINES, online_retail.CANCELLED_LINES)
    lines = pd.concat([sold.assign(sign=1), cancelled.assign(sign=-1)])
    lines["pence"] = (lines["quantity"] * lines["price"] * 100).round().astype("int64") * lines["sign"]
    return lines.groupby(["user", "invoice", "sign"], as_index=False).agg(
        at=("at", "min"), pence=("pence", "sum")
    )


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The input of `beckon replay`."""
    orders = online_retail.orders(online_retail.valid_lines())
    refunds = online_retail.refunds(online_retail.cancelled_lines(), orders)
    unknown = [refund for refund in refunds if refund.order_id.startswith("before-")]
    assert 0 < len(unknown) < len(refunds)  # mostly of orders that beckon has seen, some of older ones
    directory = tmp_path_factory.mktemp("history")
    write_history(directory, online_retail.shuffled([*orders, *refunds], SEED))
    return directory


def batch(invoices: pd.DataFrame, now: datetime) -> Expected:
    """What a profile's `rfm` must say of everybody at `now`."""
    known = invoices[invoices["at"] <= now]
    last = known[known["sign"] > 0].groupby("user")["at"].max()
    expected: Expected = {
        user: {"last_order_at": iso(int(last[user].timestamp() * 1000)) if user in last.index else None}
        for user in known["user"].unique()
    }
    starts = {f"{w}d": (pd.Timestamp(now) - pd.Timedelta(days=w)).normalize() for w in WINDOWS_DAYS}
    for name, start in {"ever": known["at"].min(), **starts}.items():
        within = known[known["at"] >= start]
        net = within.groupby("user")["pence"].sum().to_dict()
        orders = within[within["sign"] > 0].groupby("user").size().to_dict()
        for user, rfm in expected.items():
            rfm[name] = (orders.get(user, 0), net.get(user, 0))
    return expected


def told(profile: Mapping[str, Any]) -> dict[str, Any]:
    rfm = profile["rfm"]
    windows = {name: (each["orders"], each["net_amount"]) for name, each in rfm["windows"].items()}
    return {"last_order_at": rfm["last_order_at"], "ever": (rfm["orders"], rfm["net_amount"]), **windows}


@pytest.mark.parametrize("now", MONTH_ENDS, ids=lambda now: f"{now:%Y-%m}")
def test_rfm_of_every_customer_at_the_end_of_a_month(
    now: datetime, invoices: pd.DataFrame, history: Path, tmp_path: Path
) -> None:
    with Installation(tmp_path, SETTINGS) as installation:
        installation.run("replay", history, tmp_path / "out", "--until", now.isoformat())
    assert lines_of(tmp_path / "out" / "dead_letters.jsonl") == []
    profiles = lines_of(tmp_path / "out" / "profiles.jsonl")
    found, expected = {profile["user_id"]: told(profile) for profile in profiles}, batch(invoices, now)
    assert found.keys() == expected.keys()
    assert {user: found[user] for user in found if found[user] != expected[user]} == {}
    for profile in profiles:  # who only ever got money back has not bought, as far as the shop knows
        if expected[profile["user_id"]]["last_order_at"] is None:
            assert profile["lifecycle"]["stage"] is None
            assert profile["rfm"]["flags"] is None
    if now == MONTH_ENDS[-1]:
        buyers = [user for user, rfm in expected.items() if rfm["last_order_at"]]
        assert len(buyers) == online_retail.USERS
        assert len(found) > len(buyers)
        assert any(net < 0 for rfm in expected.values() for _, net in [rfm["ever"]])
