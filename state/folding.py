"""What does a fold need, and what does it answer? The words between state/fold.py and state/folds/."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct, structs

from state.cycles import Cycles
from state.lifecycle import LifecycleParams
from state.patterns import Following
from state.predict import PredictParams
from state.scores import Publications
from state.segments import SegmentParams, with_published
from state.tags import TagParams
from state.tiers import MembershipParams
from state.user import User


class FoldParams(Struct, frozen=True, kw_only=True):
    """What the operator chose about folding: when an order counts, day buckets, stages, tiers, segments, patterns.

    And what the profile says: `cycles` of replenishment; `habits`: where answers within `habit_within` show one.
    """

    count_on: Literal["paid", "placed"]
    days: Any  # state.calendar.Days
    lifecycle: LifecycleParams
    membership: MembershipParams
    segments: SegmentParams
    predict: PredictParams
    tags: TagParams
    cycles: Cycles
    habits: tuple[str, ...]
    habit_within: int
    patterns: Following = Following()

    def under(self, published: Publications) -> FoldParams:
        """The same with other cut points to score by."""
        return structs.replace(self, segments=with_published(self.segments, published))


class Applied(Struct, frozen=True, gc=False):
    """What an event did: nothing (a duplicate, an erased user), or something, perhaps a newly watched SKU.

    `joins` and `leaves`: audiences in which the user is to be listed from now on, or no longer. `bought`: what the user
    has bought in all may be another now.
    """

    changed: bool
    watches: str | None = None
    joins: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    bought: bool = False


DUPLICATE = Applied(False)
CHANGED = Applied(True)
BOUGHT = Applied(True, bought=True)

Fold = Callable[[User, Any, FoldParams], Applied | None]
Folds = Mapping[type, Fold]
