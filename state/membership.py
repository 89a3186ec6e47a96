"""Which tier does this user have, and which points?"""

from __future__ import annotations

from msgspec import Struct


class Membership(Struct, array_like=True, gc=False):
    def unite(self, other: Membership) -> None:
        """Two ids are one person."""
