"""In which stage of the customer's life is this user?

Stages follow S1 and S4 (requirements.md section 2); every threshold is configuration. A stage is a
function of the state and the time, except for two memories that keep a user from flapping: `returned`
lasts for a while after the order that ended dormancy, and `declining` ends with an order or with
visits on `recover_visit_days` different days, not with one stray click.

By own cycle (science, section 1) a silence is measured by the buyer's own gap between purchase days, shrunk towards a
typical one, and visits do not matter: who buys each week declines after days, who buys each year after months.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from state.calendar import DAY, Days, Duration
from state.rfm import Rfm

if TYPE_CHECKING:
    from state.user import User

Stage = Literal[
    "prospect", "new", "maturing", "active", "mature", "declining", "dormant", "churned", "returned"
]
ASLEEP = ("declining", "dormant", "churned")


class OwnCycle(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """After how many gaps of her own a stage begins; `weight`: how many gaps of hers `typical_gap` weighs."""

    typical_gap: Duration
    weight: float
    declining: float
    dormant: float
    churned: float

    def gap(self, x: int, spread: int) -> float:
        """Expected ms between purchase days of who had `x` repeat ones within `spread`."""
        return (self.weight * self.typical_gap + spread) / (self.weight + x)


class LifecycleParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds of the stages; defaults and sources in config/default.yaml."""

    by: Literal["thresholds", "own_cycle"]
    own_cycle: OwnCycle
    new_for: Duration
    active_every: Duration
    mature_orders: int
    declining_after: Duration
    dormant_after: Duration
    churned_after: Duration
    returned_for: Duration
    recover_visit_days: int


class Lifecycle(Struct, array_like=True, gc=False):
    """The stage as last announced, since when, and the visit days counted towards recovery."""

    stage: Stage | None = None
    since: int | None = None
    returned_at: int | None = None
    recovery_days: tuple[int, ...] = ()


def stage_of(user: User, now: int, params: LifecycleParams) -> Stage | None:
    """The stage at `now`; None for a visitor who neither registered nor bought."""
    rfm = user.own_rfm
    if rfm is None or rfm.orders <= 0 or rfm.last_order_at is None or rfm.first_order_at is None:
        return "prospect" if user.registered_at is not None else None
    last_visit = max(user.activity.last_visit_at or 0, rfm.last_order_at)
    quiet, unbought = now - last_visit, now - rfm.last_order_at
    if params.by == "own_cycle":
        return _stage_by_cycle(user, rfm, now, params)
    if quiet >= params.churned_after:
        return "churned"
    if unbought >= params.dormant_after:
        return "dormant"
    if quiet >= params.declining_after or _still_declining(user, params):
        return "declining"
    returned_at = user.lifecycle.returned_at
    if returned_at is not None and now - returned_at < params.returned_for:
        return "returned"
    if now - rfm.first_order_at < params.new_for:
        return "new"
    if unbought >= params.active_every or rfm.orders < 2:
        return "maturing"
    return "mature" if rfm.orders >= params.mature_orders else "active"


def next_change_at(user: User, params: LifecycleParams) -> int | None:
    """The earliest moment at which time alone may move this user to another stage, seen from the last move."""
    rfm = user.own_rfm
    if rfm is None or rfm.orders <= 0 or rfm.last_order_at is None or rfm.first_order_at is None:
        return None
    last_visit = max(user.activity.last_visit_at or 0, rfm.last_order_at)
    if params.by == "own_cycle":
        moments = [rfm.last_order_at + after for after in _silences(rfm, params.own_cycle)]
    else:
        moments = [
            rfm.first_order_at + params.new_for,
            rfm.last_order_at + params.active_every,
            rfm.last_order_at + params.dormant_after,
            last_visit + params.declining_after,
            last_visit + params.churned_after,
        ]
    if user.lifecycle.returned_at is not None:
        moments.append(user.lifecycle.returned_at + params.returned_for)
    return min((m for m in moments if m > user.decided_at), default=None)


def note_visit(user: User, ts: int) -> None:
    """A visit day counts towards leaving `declining`."""
    lifecycle = user.lifecycle
    if lifecycle.stage == "declining" and lifecycle.since is not None and ts >= lifecycle.since:
        day = ts // DAY
        if day not in lifecycle.recovery_days:
            lifecycle.recovery_days = (*lifecycle.recovery_days, day)[-8:]


def note_order(user: User, ts: int, previous_order_at: int | None, params: LifecycleParams) -> None:
    """An order after dormancy makes the user `returned`; any order ends `declining`."""
    rfm = user.own_rfm
    if previous_order_at is not None and rfm is not None and rfm.first_order_at is not None:
        spread = previous_order_at - rfm.first_order_at
        if ts - previous_order_at >= _dormancy(params, rfm.purchase_days - 2, spread):
            user.lifecycle.returned_at = ts
    if user.lifecycle.stage == "declining":
        user.lifecycle.recovery_days = tuple(-day for day in range(1, params.recover_visit_days + 1))


def last_return(ordered_at: Sequence[int], params: LifecycleParams, days: Days) -> int | None:
    """The last of these orders, ascending, that came after dormancy."""
    found = None
    for place, (early, late) in enumerate(pairwise(ordered_at), start=1):
        x = len({days.of(ts) for ts in ordered_at[:place]}) - 1
        if late - early >= _dormancy(params, x, early - ordered_at[0]):
            found = late
    return found


def _stage_by_cycle(user: User, rfm: Rfm, now: int, params: LifecycleParams) -> Stage:
    """A silence shorter than a gap of her own is none: then what she has bought so far says the stage."""
    silent = now - (rfm.last_order_at or 0)
    declining, dormant, churned = _silences(rfm, params.own_cycle)
    if silent >= churned:
        return "churned"
    if silent >= dormant:
        return "dormant"
    if silent >= declining:
        return "declining"
    returned_at = user.lifecycle.returned_at
    if returned_at is not None and now - returned_at < params.returned_for:
        return "returned"
    if rfm.purchase_days < 2:
        return "new"
    return "mature" if rfm.orders >= params.mature_orders else "active"


def _silences(rfm: Rfm, cycle: OwnCycle) -> tuple[int, int, int]:
    """After how long without a purchase she is declining, dormant, churned; ms."""
    x = max(rfm.purchase_days - 1, 0)
    gap = cycle.gap(x, (rfm.last_order_at or 0) - (rfm.first_order_at or 0) if x else 0)
    return round(cycle.declining * gap), round(cycle.dormant * gap), round(cycle.churned * gap)


def _dormancy(params: LifecycleParams, x: int, spread: int) -> int:
    """How long a silence makes one dormant who had `x` repeat purchase days within `spread` before it."""
    if params.by == "thresholds":
        return params.dormant_after
    return round(params.own_cycle.dormant * params.own_cycle.gap(max(x, 0), spread if x > 0 else 0))


def _still_declining(user: User, params: LifecycleParams) -> bool:
    lifecycle = user.lifecycle
    return lifecycle.stage == "declining" and len(lifecycle.recovery_days) < params.recover_visit_days
