"""Is the churn score as good on the buyers of CDNOW as was asked (science, section 4)?"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from benchmarks.churn import BARS, cdnow, main, measure
from config.load import load
from flows.fitting.fit import fit_history
from flows.fitting.history import CannotFit, read_history
from state.calendar import WEEK
from tests.real_data import found


@pytest.mark.slow
def test_the_score_ranks_better_than_recency_and_is_calibrated() -> None:
    told = measure(cdnow(found.real_data("CDNOW_sample.txt.gz")))

    assert (told.buyers, round(told.silent, 4)) == (2357, 0.7098)
    assert told.auc_of_recency == pytest.approx(0.771, abs=5e-4)
    assert told.auc > told.auc_of_recency
    assert round(told.auc, 3) >= BARS["auc"][1]
    assert round(told.auc_repeaters, 3) >= BARS["auc_repeaters"][1]
    assert told.brier <= BARS["brier"][0]


@pytest.mark.slow
def test_a_shop_whose_buyers_never_leave_is_refused(tmp_path: Path) -> None:
    """UCI Online Retail: no model of dropout fits it (science, section 0)."""
    found.real_data("uci_online_retail.csv.gz")
    path = tmp_path / "orders.csv.gz"
    with gzip.open(path, "wt") as file:
        print("customer,date,amount", file=file)
        for row in found.rows("uci_online_retail.csv.gz"):
            if row["CustomerID"] and not row["InvoiceNo"].startswith("C") and float(row["UnitPrice"]) > 0:
                cents = round(int(row["Quantity"]) * float(row["UnitPrice"]) * 100)
                print(row["CustomerID"], row["InvoiceDate"][:10], cents, sep=",", file=file)
    settings = load(None, {}, ["time.zone=UTC"])
    with pytest.raises(CannotFit, match=r"nobody seems to stop buying|no better than"):
        fit_history(read_history(path, settings), settings, 8 * WEEK)


def test_without_the_data_the_benchmark_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "no CDNOW_sample.txt.gz" in capsys.readouterr().err
