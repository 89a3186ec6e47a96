"""What is wrong with the settings, where, and what would be right?"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Problem(Struct, frozen=True):
    """One error of an operator: its dotted `path`, and the file and line, variable or option it came from."""

    path: str
    message: str
    suggestion: str = ""
    origin: str = ""

    def __str__(self) -> str:
        where = " ".join(part for part in (self.path, f"({self.origin})" if self.origin else "") if part)
        return f"{where}: {self.message}" + (f"; {self.suggestion}" if self.suggestion else "")


class ConfigError(Exception):
    """The settings cannot be used; `problems` are all that is wrong with them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)
