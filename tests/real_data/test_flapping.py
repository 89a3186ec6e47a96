"""Does nobody go to and fro between two segments because others move the cut points past her?

UCI Online Retail, half a year of it, with orders and refunds: a flap is a change of segment that is taken back within
30 days without an act of her own since two days before it.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installation import Installation, lines_of, write_history
from tests.other_rules import others
from tests.real_data import online_retail
from tests.real_data.outcome import ms

SEED, DAY_MS = 1, 86_400_000
UNTIL = datetime(2011, 5, 31, tzinfo=UTC)


def settings(keep_margin: float) -> dict[str, Any]:
    return {
        "policy": {"enabled": False},
        "input": {"currency": "GBP"},
        "rfm": {"by": "quintiles", "quintiles": {"bought_within": "400d", "keep_margin": keep_margin}},
        "rules": {rule: {"enabled": False} for rule in others("segment_changed")},
    }


@pytest.mark.slow
@pytest.mark.parametrize(("keep_margin", "flaps"), [(0.05, False), (0.0, True)], ids=["margin", "none"])
def test_a_margin_keeps_everybody_from_flapping(keep_margin: float, flaps: bool, tmp_path: Path) -> None:
    placed = online_retail.orders(online_retail.valid_lines())
    refunds = online_retail.refunds(online_retail.cancelled_lines(), placed)
    write_history(tmp_path / "history", online_retail.shuffled([*placed, *refunds], SEED))
    with Installation(tmp_path, settings(keep_margin)) as installation:
        installation.run(
            *("replay", tmp_path / "history", tmp_path / "out", "--until", UNTIL.isoformat()), seconds=600
        )
    acts, changes = defaultdict[str, list[int]](list), defaultdict[str, list[tuple[int, str, str]]](list)
    for user, ts in [*((each.user_id, each.ts) for each in placed), *((r.user_id, r.ts) for r in refunds)]:
        acts[user].append(ts)
    for trigger in lines_of(tmp_path / "out" / "triggers.jsonl"):
        data = trigger["data"]
        changes[trigger["subject"]].append((ms(trigger["time"]), data["from"] or "", data["to"] or ""))
    found = [
        user
        for user, told in changes.items()
        for (first, before, _), (second, _, after) in pairwise(sorted(told))
        if before == after != ""
        and second - first <= 30 * DAY_MS
        and not any(first - 2 * DAY_MS < at <= second for at in acts[user])
    ]
    assert sum(map(len, changes.values())) > 2000
    assert bool(found) is flaps, found
