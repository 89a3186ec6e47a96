"""Which calls to many at once (weather, campaigns) has this user heard?"""

from __future__ import annotations

from msgspec import Struct


class Scenes(Struct, array_like=True, gc=False):
    def unite(self, other: Scenes) -> None:
        """Two ids are one person."""
