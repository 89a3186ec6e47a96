"""What has this user heard of her segment, and up to when of the shop's calendar?"""

from __future__ import annotations

from msgspec import Struct


class Standing(Struct, array_like=True, gc=False):
    """`flags` as last told; `coming` are others that have stood since `since`, `anchor` what brought them.

    Calendar scenes have been looked at up to (`scenes_at`, `scene`), in order of time and name.
    """

    flags: str | None = None
    coming: str | None = None
    since: int | None = None
    anchor: str = ""
    scenes_at: int = -1
    scene: str = ""

    def settle(self) -> None:
        """Nothing is coming any more."""
        self.coming, self.since, self.anchor = None, None, ""

    def unite(self, other: Standing) -> None:
        """Two ids are one person: what the one who lives was told stands until the rule looks again."""
        if self.flags is None:
            self.flags = other.flags
            if self.since is None:
                self.coming, self.since, self.anchor = other.coming, other.since, other.anchor
        self.scenes_at, self.scene = max((self.scenes_at, self.scene), (other.scenes_at, other.scene))
