"""Does beckon keep its promises while everything around it breaks? The rows of the fault matrix on real processes.

python -m tests.chaos [--rows 1:50,4,9] [--points N] [--seed S] [--guarantee exactly_once] [--report FILE]
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tests.chaos.lab import Lab, say
from tests.chaos.report import markdown, table
from tests.chaos.rows import ROWS


def main(rows: list[tuple[str, int]], seed: int, guarantee: str, report: Path | None) -> int:
    with Lab(seed, guarantee) as lab:
        try:
            for name, points in rows:
                say(f"--- row {name}: {ROWS[name].title}")
                for outcome in ROWS[name].run(lab, points):
                    lab.keep(outcome)
        finally:  # also of a run that was interrupted
            say("\n" + table(lab.outcomes))
            if report is not None:
                report.write_text(markdown(lab.outcomes, seed=seed, guarantee=guarantee))
        return 0 if all(outcome.clean for outcome in lab.outcomes) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--rows", default=",".join(ROWS), help="of the fault matrix, 1:20 with so many points"
    )
    parser.add_argument("--points", type=int, help="faults of each row; default: what the row says")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--guarantee", choices=("exactly_once", "at_least_once"), default="exactly_once")
    parser.add_argument("--report", type=Path, help="write the outcome here, as Markdown")
    chosen = parser.parse_args()
    wanted = []
    for asked in chosen.rows.split(","):
        named, _, some = asked.partition(":")
        if named not in ROWS:
            parser.error(f"no row {named}; there are {', '.join(ROWS)}")
        wanted.append((named, int(some or chosen.points or ROWS[named].points)))
    # Told to end, we end what we started: the exception runs through every `with`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(wanted, chosen.seed, chosen.guarantee, chosen.report))
