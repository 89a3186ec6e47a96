"""In what do two settings differ, and what of it may change while beckon runs? Rules and policy, nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from config.load import shown
from config.problem import Problem
from config.settings import Settings

_RELOADED = ("rules.", "policy.")
_NOT_THERE = object()


class Change(Struct, frozen=True):
    """One setting; `old` and `new` as they may be shown to anybody."""

    path: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.path}: {self.old} -> {self.new}"


def changes(old: Settings, new: Settings) -> list[Change]:
    """Every setting that is another, in the order of the settings."""
    return [*_below(old, new, "")]


def refusals(found: list[Change]) -> list[Problem]:
    """What cannot be had without a restart."""
    return [
        Problem(change.path, "cannot change while beckon runs", f"restart to change {change.path}")
        for change in found
        if not change.path.startswith(_RELOADED)
    ]


def _below(old: Any, new: Any, path: str) -> Iterator[Change]:
    if isinstance(old, Struct) and isinstance(new, Struct) and type(old) is type(new):
        old, new = msgspec.structs.asdict(old), msgspec.structs.asdict(new)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {**old, **new}:
            below = f"{path}.{key}" if path else key
            yield from _below(old.get(key, _NOT_THERE), new.get(key, _NOT_THERE), below)
    elif old != new:
        yield Change(path, _words(old, path), _words(new, path))


def _words(value: Any, path: str) -> str:
    if value is _NOT_THERE:
        return "(not there)"
    text = shown(value, path)
    return "null" if text is None else str(text)
