"""What has this user complained about, sent back or reviewed badly?"""

from __future__ import annotations

from msgspec import Struct


class Service(Struct, array_like=True, gc=False):
    def unite(self, other: Service) -> None:
        """Two ids are one person."""
