"""Is everybody who buys an item again and again reminded at the time that a batch over all lines says?

UCI Online Retail, the orders of the items most often bought again. The batch is pandas over the raw lines; what is
measured is `beckon replay`, with orders that arrive up to an hour out of order. No cycle is configured: each user's
own gaps speak.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from tests.integration.installation import lines_of, replayed
from tests.real_data import online_retail
from triggers.catalog import RULES

SEED, ITEMS, PURCHASES, LEAD_DAYS = 20111210, 8, 3, 5
DAY_MS = 86_400_000
OTHERS = {rule.name: {"enabled": False} for rule in RULES}
SETTINGS: dict[str, Any] = {
    "policy": {"enabled": False},
    "input": {"currency": "GBP"},
    "rules": {
        **OTHERS,
        "replenishment": {"enabled": True, "valid_for": "9999d", "min_purchases": PURCHASES},
    },
}
Reminder = tuple[str, str, int, float]
"""User, item, due (epoch ms), learned cycle in days."""


def purchases(lines: pd.DataFrame) -> pd.DataFrame:
    """One row for each user, item and order: at (epoch ms, that of the order's first line)."""
    lines = lines.assign(at=lines.groupby("invoice")["at"].transform("min"))
    bought = lines[["user", "sku", "invoice", "at"]].drop_duplicates()
    return bought.assign(at=bought["at"].dt.as_unit("ms").astype("int64"))


def again_and_again(lines: pd.DataFrame) -> list[str]:
    """The items that most users bought on three days or more."""
    days = lines.assign(day=lines["at"].dt.floor("D")).groupby(["sku", "user"])["day"].nunique()
    return [*days[days >= PURCHASES].groupby("sku").size().nlargest(ITEMS).index]


def batch(bought: pd.DataFrame) -> list[Reminder]:
    """After each purchase that is at least the third: the mean gap so far, and the reminder, unless bought by then."""
    bought = bought.sort_values("at").assign(day=bought["at"] // DAY_MS)
    by_thing = bought.groupby(["user", "sku"])
    bought["days"] = by_thing["day"].transform(lambda day: (~day.duplicated()).cumsum())
    bought["span"] = bought["day"] - by_thing["day"].transform("first")
    bought["next"] = by_thing["at"].shift(-1)
    told = bought[bought["days"] >= PURCHASES].copy()
    told["cycle"] = (told["span"] * DAY_MS / (told["days"] - 1)).round().astype("int64")
    ahead = told["cycle"] - LEAD_DAYS * DAY_MS
    told["due"] = told["at"] + ahead.where(ahead >= DAY_MS, told["cycle"] // 2)
    told = told[told["next"].isna() | (told["next"] > told["due"])]
    return [
        (user, sku, due, round(cycle / DAY_MS, 2))
        for user, sku, due, cycle in told[["user", "sku", "due", "cycle"]].itertuples(index=False, name=None)
    ]


def test_reminders_and_learned_cycles_are_those_of_the_batch(tmp_path: Path) -> None:
    lines = online_retail.valid_lines()
    lines = lines[lines["sku"].isin(again_and_again(lines))]
    records = online_retail.shuffled(online_retail.orders(lines), SEED)
    until = datetime(2020, 1, 1, tzinfo=UTC).isoformat()  # every timer has fired by then
    out = replayed(tmp_path, records, SETTINGS, "--until", until)

    expected = batch(purchases(lines))
    found = [
        (data["user_id"], data["item"], _millis(trigger["time"]), data["cycle_days"])
        for trigger in lines_of(out / "triggers.jsonl")
        if (data := trigger["data"])["rule"] == "replenishment"
    ]
    assert Counter(found) == Counter(expected)
    assert len({(user, sku) for user, sku, _, _ in found}) > 1000


def _millis(written: str) -> int:
    return round(datetime.fromisoformat(written).timestamp() * 1000)
