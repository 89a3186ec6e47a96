"""How well does the churn score rank and tell? `python -m benchmarks.churn [DATA]`: CDNOW, by science section 4.

All that the score knows ends on 1997-09-30; the 39 weeks after it are the answers, which nothing is fitted to. DATA, or
BECKON_DATA, is the folder with CDNOW_sample.txt.gz.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import sys
import tempfile
from pathlib import Path

import msgspec

from config.load import load
from flows.fitting.fit import MODELS, fit_history
from flows.fitting.history import History, read_history
from flows.fitting.learn import Judged, judge
from state.calendar import DAY, WEEK

LAST_KNOWN = 10_134 * DAY  # 1997-09-30
HORIZON = 39 * WEEK
BARS = {"auc": (0.771, 0.780), "auc_repeaters": (0.720, 0.728), "brier": (0.161, 0.155)}
"""Required, and to be reached. A Brier score is to be at most so much, the others at least."""


def cdnow(source: Path) -> History:
    """The 1/10 sample of the CDNOW buyers; amounts in cents."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cdnow.csv"
        with gzip.open(source, "rt") as packed, path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("customer", "date", "amount"))
            for line in packed:
                _, customer, day, _, dollars = line.split()
                writer.writerow((customer, f"{day[:4]}-{day[4:6]}-{day[6:]}", round(float(dollars) * 100)))
        return read_history(path, load(None, {}, ["time.zone=UTC"]))


def measure(history: History, models: tuple[str, ...] = MODELS) -> Judged:
    """The score fitted to what was known on the last day, against the weeks that followed."""
    past = msgspec.structs.replace(history, ends=LAST_KNOWN)
    found = fit_history(past, load(None, {}, ["time.zone=UTC"]), HORIZON, models)
    return judge(found.fit, found.churn, history, LAST_KNOWN, LAST_KNOWN + HORIZON)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=os.environ.get("BECKON_DATA"))
    folder = parser.parse_args(arguments).data
    source = None if folder is None else Path(folder) / "CDNOW_sample.txt.gz"
    if source is None or not source.exists():
        print("no CDNOW_sample.txt.gz: name its folder, or set BECKON_DATA", file=sys.stderr)
        return 2
    told = measure(cdnow(source))
    print(f"{told.buyers} buyers, {told.silent:.4f} silent; recency has AUC {told.auc_of_recency:.3f}")
    missed = 0
    for name, (required, bar) in BARS.items():
        value = round(getattr(told, name), 3)
        sign = -1 if name == "brier" else 1
        verdict = "reached" if sign * value >= sign * bar else "required only"
        if sign * value < sign * required:
            verdict = "MISSED"
        missed += verdict == "MISSED"
        print(f"{name:<14} {value:.3f}  required {required:.3f}  bar {bar:.3f}  {verdict}")
    print(f"brier of repeaters {told.brier_repeaters:.3f}, calibration error {told.calibration_error:.3f}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
