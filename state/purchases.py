"""What has this user bought, how often, and when last?"""

from __future__ import annotations

from msgspec import Struct


class Purchases(Struct, array_like=True, gc=False):
    def unite(self, other: Purchases) -> None:
        """Two ids are one person."""
