"""What has this user looked at again and again, and at which price?"""

from __future__ import annotations

from msgspec import Struct


class Browsing(Struct, array_like=True, gc=False):
    def unite(self, other: Browsing) -> None:
        """Two ids are one person."""
