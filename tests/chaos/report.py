"""What came of a chaos run, on one page?"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from tests.chaos.outcome import Outcome
from tests.chaos.rows import ROWS

_WRONG = ("lost", "twice", "unexpected", "order", "state", "unfinished")
_HEAD = ("row", "fault", "points", "records", "triggers", *_WRONG, "recovery p50", "max", "verdict")


def _lines(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    found = []
    for row in ROWS:
        of_row = [outcome for outcome in outcomes if outcome.row == row]
        if not of_row:
            continue
        wrong: Counter[str] = Counter()
        for outcome in of_row:
            wrong.update(outcome.verdict.get("counts", {}))
        points = [point for outcome in of_row for point in outcome.points]
        took = sorted(p.recovery_seconds for p in points if p.recovery_seconds is not None)
        records = sum(outcome.verdict.get("records", 0) for outcome in of_row)
        triggers = sum(outcome.verdict.get("checked", {}).get("triggers", 0) for outcome in of_row)
        found.append(
            (
                row,
                ROWS[row].title,
                str(sum(point.fault for point in points)),
                str(records),
                str(triggers),
                *(str(wrong[kind]) for kind in _WRONG),
                _seconds(statistics.median(took)) if took else "",
                _seconds(took[-1]) if took else "",
                min((outcome for outcome in of_row), key=lambda outcome: outcome.clean).word,
            )
        )
    return found


def _seconds(took: float) -> str:
    return f"{took:.1f} s" if math.isfinite(took) else "never"


def table(outcomes: Sequence[Outcome]) -> str:
    """For a terminal."""
    lines = [_HEAD, *_lines(outcomes)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )


def markdown(outcomes: Sequence[Outcome], *, seed: int, guarantee: str) -> str:
    """For docs/chaos.md."""
    rows = [_HEAD, tuple("---" for _ in _HEAD), *_lines(outcomes)]
    notes = [
        f"- row {o.row}, seed {o.seed}: {name}: {text}" for o in outcomes for name, text in o.notes.items()
    ]
    return "\n".join(
        [
            "# The last chaos run",
            "",
            f"Made by `make chaos` (seed {seed}, {guarantee}): real processes, a real Kafka, a real Redis, faults at",
            "moments drawn from the seed, while a shop goes on writing. A separate program that shares no code with",
            "beckon (`tests/chaos/verifier.py`) reads the input topics, tells the shop's story anew and compares.",
            "Every point is a fault; what is wrong is counted over all points of a row.",
            "",
            *("| " + " | ".join(line) + " |" for line in rows),
            "",
            *_troubles(outcomes),
            *(["## Notes", "", *notes, ""] if notes else []),
        ]
    )


def _troubles(outcomes: Iterable[Outcome]) -> list[str]:
    found = [
        f"- row {point.row}, seed {point.seed}, {point.what}: {point.trouble}"
        for outcome in outcomes
        for point in outcome.points
        if point.trouble
    ]
    return ["## Troubles", "", *found, ""] if found else []
