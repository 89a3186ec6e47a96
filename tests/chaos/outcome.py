"""What is told of a fault, and of a round of faults?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

RECOVERY_SECONDS = 10.0  # what the fault matrix allows


@dataclass
class Point:
    """One fault: what was done, how long until all of the log was in the state again, what was wrong.

    Not a `fault`: the end of a round, told of because something was wrong there.
    """

    row: str
    seed: int
    what: str
    recovery_seconds: float | None = None
    trouble: str = ""
    fault: bool = True


@dataclass
class Outcome:
    """One round: its points and what the verifier said of them together."""

    row: str
    seed: int
    points: list[Point]
    verdict: dict[str, Any]
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """`refused`: there was nothing to be exact about, and beckon said so."""
        if not self.clean:
            return "NOT CLEAN"
        return "refused in words" if self.verdict.get("refused") else "exact"

    @property
    def clean(self) -> bool:
        return bool(self.verdict.get("clean")) and not any(point.trouble for point in self.points)
