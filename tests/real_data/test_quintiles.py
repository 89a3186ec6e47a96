"""Are the scores of every real customer those of a sort over all of them, at the ends of months, in a running shop?

`beckon replay` over orders and refunds that arrive up to an hour out of order; the sort is of its own profiles, whose
sums tests/real_data/test_online_retail*.py compare with pandas.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.exact_quintiles import exact_scores
from tests.integration.installation import Installation, lines_of, write_history
from tests.other_rules import others
from tests.real_data import online_retail

SEED = 20111209
DAY_SECONDS = 86_400
MONTH_ENDS = [
    datetime(2011, month, day, 23, 59, 59, tzinfo=UTC) for month, day in ((2, 28), (7, 31), (12, 31))
]
SETTINGS: Mapping[str, Any] = {
    "policy": {"enabled": False},
    "input": {"currency": "GBP"},
    "rfm": {"by": "quintiles", "quintiles": {"bought_within": "400d"}},
    "rules": {rule: {"enabled": False} for rule in others()},
}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("history")
    placed = online_retail.orders(online_retail.valid_lines())
    refunds = online_retail.refunds(online_retail.cancelled_lines(), placed)
    write_history(directory, online_retail.shuffled([*placed, *refunds], SEED))
    return directory


@pytest.mark.parametrize("now", MONTH_ENDS, ids=lambda now: f"{now:%Y-%m}")
def test_scores_of_every_customer_at_the_end_of_a_month(now: datetime, history: Path, tmp_path: Path) -> None:
    with Installation(tmp_path, SETTINGS) as installation:
        installation.run("replay", history, tmp_path / "out", "--until", now.isoformat())
    buyers = [p["rfm"] for p in lines_of(tmp_path / "out" / "profiles.jsonl") if p["rfm"]["orders"] > 0]
    assert len({rfm["cuts_version"] for rfm in buyers}) == 1
    values = []
    for rfm in buyers:
        day = datetime.fromisoformat(rfm["last_order_at"]).timestamp() // DAY_SECONDS
        values.append((now.timestamp() // DAY_SECONDS - day, rfm["orders"], rfm["net_amount"]))
    for measure, exact in zip("rfm", zip(*exact_scores(values), strict=True), strict=True):
        same = sum(rfm["scores"][measure] == score for rfm, score in zip(buyers, exact, strict=True))
        assert same >= 0.99 * len(buyers), (measure, same, len(buyers))
    if now == MONTH_ENDS[-1]:
        assert len(buyers) == online_retail.USERS
