"""In which stage of the customer's life is this user?

Stages follow S1 and S4 (requirements.md section 2); every threshold is configuration. A stage is a
function of the state and the time, except for two memories that keep a user from flapping: `returned`
lasts for a while after the order that ended dormancy, and `declining` ends with an order or with
visits on `recover_visit_days` different days, not with one stray click.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from state.calendar import DAY, Duration

if TYPE_CHECKING:
    from state.user import User

Stage = Literal[
    "prospect", "new", "maturing", "active", "mature", "declining", "dormant", "churned", "returned"
]
ASLEEP = ("declining", "dormant", "churned")


class LifecycleParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds of the stages; defaults and sources in config/default.yaml."""

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
    if previous_order_at is not None and ts - previous_order_at >= params.dormant_after:
        user.lifecycle.returned_at = ts
    if user.lifecycle.stage == "declining":
        user.lifecycle.recovery_days = tuple(-day for day in range(1, params.recover_visit_days + 1))


def _still_declining(user: User, params: LifecycleParams) -> bool:
    lifecycle = user.lifecycle
    return lifecycle.stage == "declining" and len(lifecycle.recovery_days) < params.recover_visit_days
