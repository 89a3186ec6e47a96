"""How far is this user in the patterns that an operator has declared?"""

from __future__ import annotations

from msgspec import Struct


class Patterns(Struct, array_like=True, gc=False):
    def unite(self, other: Patterns) -> None:
        """Two ids are one person."""
