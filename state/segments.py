"""Which RFM segment and group is this user in?

Three flags, 1 is better: bought recently (R), often (F), for much (M). Flags are what is kept; the names are labels for
them (S1: core value 111, active potential 110, dormant high value 011, lost 000; the others are ours). Groups (S0):
`core` is of high value, `potential` of middle, `wakeup` of low value or without a purchase for `recency_within`;
value is high with F and M, middle with one of them, low with none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from state.calendar import Days, Duration

if TYPE_CHECKING:
    from state.user import User

SEGMENTS = {
    "111": "core_value",
    "110": "active_potential",
    "101": "growing_high_value",
    "100": "growing",
    "011": "dormant_high_value",
    "010": "dormant_regular",
    "001": "lost_high_value",
    "000": "lost",
}
GROUPS = ("core", "potential", "wakeup")

_AtLeastOne = Annotated[int, Meta(ge=1)]


class SegmentParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where good begins; defaults and sources in config/default.yaml. Windows are of day buckets (state/rfm.py)."""

    by: Literal["thresholds"]
    recency_within: Duration
    frequency_window: Duration
    frequency_orders: _AtLeastOne
    monetary_window: Duration
    monetary_spend: _AtLeastOne


def flags_of(user: User, now: int, params: SegmentParams, days: Days) -> str | None:
    """R, F and M as three digits; None for one who has no order that counts."""
    rfm = user.own_rfm
    if rfm is None or rfm.orders <= 0 or rfm.last_order_at is None:
        return None
    recent = now - rfm.last_order_at < params.recency_within
    often = _sum_since(rfm.orders_by_day, days.of(now - params.frequency_window)) >= params.frequency_orders
    much = _sum_since(rfm.net_by_day, days.of(now - params.monetary_window)) >= params.monetary_spend
    return f"{recent:d}{often:d}{much:d}"


def segment_name(flags: str | None) -> str | None:
    return None if flags is None else SEGMENTS[flags]


def group_of(flags: str | None) -> str | None:
    if flags is None:
        return None
    if flags[0] == "0" or flags == "100":
        return "wakeup"
    return "core" if flags == "111" else "potential"


def next_change_at(user: User, params: SegmentParams, days: Days) -> int | None:
    """When time alone moves this user to other flags, seen from the last look: an order ages, a day leaves a window."""
    rfm, now = user.own_rfm, user.decided_at
    if rfm is None or rfm.orders <= 0 or rfm.last_order_at is None:
        return None
    moments = [
        rfm.last_order_at + params.recency_within,
        _crossing(rfm.orders_by_day, params.frequency_window, params.frequency_orders, now, days),
        _crossing(rfm.net_by_day, params.monetary_window, params.monetary_spend, now, days),
    ]
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def _sum_since(buckets: dict[int, int], first: int) -> int:
    return sum(amount for day, amount in buckets.items() if day >= first)


def _crossing(buckets: dict[int, int], width: int, least: int, now: int, days: Days) -> int | None:
    """When the sum over the window passes `least`, up or down, as its oldest days leave it one by one."""
    first = days.of(now - width)
    held = sorted(day for day in buckets if day >= first)
    total = sum(buckets[day] for day in held)
    enough = total >= least
    for day in held:
        total -= buckets[day]
        if (total >= least) is not enough:
            return days.start(day + 1) + width
    return None
