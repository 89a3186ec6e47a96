"""Which tier does this user have, how far is the next one, and which points are there?"""

from __future__ import annotations

from msgspec import Struct

from state.points import Points


class Near(Struct, array_like=True, gc=False):
    """An approach to a tier of which tier_near has spoken, with what was missing then; `anchor` opened it."""

    tier: str
    anchor: str
    amount: int
    orders: int


class Passed(Struct, array_like=True, gc=False):
    """The milestone passed last: by what, in which days, and whether the order did so `alone`, without the others."""

    anchor: str
    first_day: int
    last_day: int
    alone: bool


class Membership(Struct, array_like=True, gc=False):
    """`tier` as last found by tier_changed, and since when."""

    tier: str | None = None
    since: int | None = None
    near: Near | None = None
    passed: Passed | None = None
    own_points: Points | None = None

    @property
    def points(self) -> Points:
        if self.own_points is None:
            self.own_points = Points()
        return self.own_points

    def unite(self, other: Membership) -> None:
        """Two ids are one person, who has heard what either has heard. For the higher tier see state/union.py."""
        if self.tier is None:
            self.tier, self.since = other.tier, other.since
        self.near = self.near or other.near
        if other.passed is not None and (self.passed is None or _when(other.passed) > _when(self.passed)):
            self.passed = other.passed
        if other.own_points is not None:
            self.points.unite(other.own_points)


def _when(passed: Passed) -> tuple[int, str]:
    return passed.last_day, passed.anchor
