"""Many schedules of faults, and what each guard is worth: `python -m tests.simulation [--schedules N] [--guards N]`.

Prints what goes wrong with its seed and ends with 1; `--report FILE` writes the table of docs/simulation.md.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import structlog

from tests.simulation import shop
from tests.simulation.guards import REMOVED, catches
from tests.simulation.schedule import Guards, Schedule, check
from tests.simulation.weather import weather

SHOPS = 40
_KINDS = (0, shop.WITH_POLICY, 0, shop.WITH_CALLS, shop.WITH_POLICY)  # of shops, in turns


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schedules", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first schedule")
    parser.add_argument("--guards", type=int, default=300, help="schedules for each guard taken out; 0: none")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--report", type=Path, help="write the table of the guards here, as markdown")
    asked = parser.parse_args()
    with multiprocessing.Pool(asked.processes, _quiet) as pool:
        wrong = _schedules(
            pool.imap_unordered(_run, range(asked.first, asked.first + asked.schedules), 50), asked
        )
        rows = [
            _guard(at, pool.map(_catches, [(seed, at) for seed in range(asked.guards)], 10))
            for at in range(len(REMOVED) if asked.guards else 0)
        ]
    if asked.report:
        asked.report.write_text(_report(asked, wrong, rows))
    return 1 if wrong else 0


def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _run(seed: int) -> str | None:
    """What is wrong with one schedule, if anything."""
    try:
        shop_seed = _KINDS[seed % len(_KINDS)] + seed % SHOPS
        check(Schedule(seed, shop_seed, weather(seed), Guards()), shop_seed)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what was looked for
        return f"seed {seed}: {type(error).__name__}: {error}"
    return None


def _catches(case: tuple[int, int]) -> bool:
    seed, guard = case
    return catches(seed, REMOVED[guard])


def _schedules(results: Iterable[str | None], asked: argparse.Namespace) -> int:
    started, wrong = time.monotonic(), 0
    for done, problem in enumerate(results, 1):
        if problem is not None:
            wrong += 1
            _say(problem)
        if done % 1000 == 0 or done == asked.schedules:
            _say(f"{done} schedules, {wrong} wrong, {time.monotonic() - started:.0f} s")
    return wrong


def _guard(at: int, caught: list[bool]) -> tuple[str, int, int, int]:
    name = REMOVED[at].name
    first = caught.index(True) if any(caught) else -1
    _say(f"without {name}: {sum(caught)} of {len(caught)} go wrong, the first with seed {first}")
    return name, sum(caught), len(caught), first


def _report(asked: argparse.Namespace, wrong: int, rows: list[tuple[str, int, int, int]]) -> str:
    lines = [
        "# What each guard of the protocol is worth",
        "",
        f"Written by `make simulate`: {asked.schedules} schedules with every guard in place, {wrong} of them wrong.",
        "Then each guard alone is taken out (tests/simulation/guards.py), under the faults it is there for. A schedule",
        "is wrong when a record is lost or published twice, or a user's state differs from that of an undisturbed run.",
        "",
        "| guard taken out | wrong | of | first seed |",
        "|---|---|---|---|",
        *(_row(*row) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, caught: int, of: int, first: int) -> str:
    return f"| {name} | {caught} | {of} | {first if caught else 'see test_directed.py'} |"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
