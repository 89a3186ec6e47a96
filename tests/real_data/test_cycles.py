"""Does what `fit` learns of a thing foretell the next purchase of it better than a user's own gaps alone?

UCI Online Retail: learned from the first 70 % of its days, asked of everybody who had bought a thing on two days or
more and came again. The numbers are those of docs/decisions/0032.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest

from config.load import load
from flows.fitting.again import usual
from flows.fitting.history import read_history
from state.calendar import DAY
from tests.integration.installation import write_history
from tests.real_data import online_retail

SEED, SHRINK = 20111209, 2


@pytest.mark.slow
def test_shrunk_to_the_learned_cycle_the_next_purchase_is_foretold_better(tmp_path: Path) -> None:
    lines = online_retail.valid_lines()
    lines["day"] = lines["at"].dt.floor("D").dt.as_unit("s").astype("int64") // 86_400
    split = int(lines["day"].min() + 0.7 * (lines["day"].max() - lines["day"].min()))
    write_history(tmp_path, online_retail.shuffled(online_retail.orders(lines), SEED))
    settings = load(None, {}, ["time.zone=UTC", "input.currency=GBP"])
    learned = usual(read_history(tmp_path, settings, (split + 1) * DAY - 1).sold, settings.fit)
    assert len(learned) == 445

    days = lines[["user", "sku", "day"]].drop_duplicates()
    past = days[days["day"] <= split].groupby(["user", "sku"])["day"].agg(["size", "min", "max"])
    then = days[days["day"] > split].groupby(["user", "sku"])["day"].min().rename("next")
    errors: dict[int, list[tuple[float, float]]] = {}
    seen = past[past["size"] > 1].join(then, how="inner").reset_index()
    table = seen[["sku", "size", "min", "max", "next"]].itertuples(index=False, name=None)
    for sku, size, first, last, again in table:
        if (cycle := learned.get(sku)) is None:
            continue
        gaps, total, came = size - 1, last - first, again - last
        foretold = (SHRINK * cycle / DAY + total) / (SHRINK + gaps)
        errors.setdefault(min(size, 4), []).append((abs(total / gaps - came), abs(foretold - came)))
    found = {
        bought: (
            len(each),
            round(fmean(own for own, _ in each), 1),
            round(fmean(ours for _, ours in each), 1),
        )
        for bought, each in sorted(errors.items())
    }
    assert found == {2: (4526, 76.2, 66.8), 3: (2225, 53.8, 50.1), 4: (2877, 38.4, 35.7)}
