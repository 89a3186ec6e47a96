"""How does this user take part: check-ins, shares, following the store?"""

from __future__ import annotations

from msgspec import Struct


class Community(Struct, array_like=True, gc=False):
    def unite(self, other: Community) -> None:
        """Two ids are one person."""
