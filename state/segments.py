"""Which RFM segment and group is this user in?

Three flags, 1 is better: bought recently (R), often (F), for much (M). Flags are what is kept; the names are labels for
them (S1: core value 111, active potential 110, dormant high value 011, lost 000; the others are ours). Groups (S0):
`core` is of high value, `potential` of middle, `wakeup` of low value or without a purchase for `recency_within`;
value is high with F and M, middle with one of them, low with none.

Good is what passes a fixed threshold, or what has a score of `good_score` and more. Cut points of the population move,
so who has been told to be good stays so until she falls behind the cut point by `keep_margin` of all buyers: nobody
flaps who stands at a cut point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct, structs

from state.calendar import Days, Duration
from state.scores import Cuts, Publications, scores_of, values_of

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


class QuintileParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the cut points of the population are found (state/population.py) and when they come into force."""

    publish_every: Duration
    look_every: Duration
    bought_within: Duration
    least_buyers: Annotated[int, Meta(ge=5)]
    money_error: Annotated[float, Meta(gt=0, le=0.1)]
    keep_margin: Annotated[float, Meta(ge=0, le=0.15)]


class SegmentParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where good begins; defaults and sources in config/default.yaml. Windows are of day buckets (state/rfm.py).

    `cuts`: the operator's own cut points. Without any to go by, thresholds.
    """

    by: Literal["thresholds", "cuts", "quintiles"]
    recency_within: Duration
    frequency_window: Duration
    frequency_orders: _AtLeastOne
    monetary_window: Duration
    monetary_spend: _AtLeastOne
    good_score: Annotated[int, Meta(ge=2, le=5)]
    cuts: Cuts | None
    quintiles: QuintileParams

    def cuts_at(self, now: int) -> Cuts | None:
        """Those by which to score at `now` (epoch ms)."""
        return None if self.by == "thresholds" else self.cuts


class Published(SegmentParams, frozen=True, kw_only=True):
    """With what the population has brought. Where that is nothing yet, or null, the operator's own are in force."""

    published: Publications

    def cuts_at(self, now: int) -> Cuts | None:
        for since, cuts in reversed(self.published):
            if since <= now:
                return cuts or self.cuts
        return self.cuts


def with_published(params: SegmentParams, published: Publications) -> Published:
    return Published(**(structs.asdict(params) | {"published": published}))


def flags_of(user: User, now: int, params: SegmentParams, days: Days) -> str | None:
    """R, F and M as three digits; None for one who has no order that counts."""
    rfm = user.own_rfm
    if rfm is None or rfm.orders <= 0 or rfm.last_order_at is None:
        return None
    cuts = params.cuts_at(now)
    if cuts is not None:
        return _flags_by(cuts, user, now, params, days)
    recent = now - rfm.last_order_at < params.recency_within
    often = _sum_since(rfm.orders_by_day, days.of(now - params.frequency_window)) >= params.frequency_orders
    much = _sum_since(rfm.net_by_day, days.of(now - params.monetary_window)) >= params.monetary_spend
    return f"{recent:d}{often:d}{much:d}"


def _flags_by(cuts: Cuts, user: User, now: int, params: SegmentParams, days: Days) -> str | None:
    values = values_of(user.rfm, now, cuts, days)
    if values is None:
        return None
    good = [score >= params.good_score for score in scores_of(values, cuts)]
    told = None if user.own_standing is None else user.own_standing.flags
    if told is not None and cuts.keep is not None:
        (age, orders, spend), (r, f, m) = values, cuts.keep
        stays = age < r, orders >= f, spend >= m
        good = [
            is_good or (was == "1" and keeps) for is_good, was, keeps in zip(good, told, stays, strict=True)
        ]
    return "".join(str(int(each)) for each in good)


def segment_name(flags: str | None) -> str | None:
    return None if flags is None else SEGMENTS[flags]


def group_of(flags: str | None) -> str | None:
    if flags is None:
        return None
    if flags[0] == "0" or flags == "100":
        return "wakeup"
    return "core" if flags == "111" else "potential"


def next_change_at(user: User, params: SegmentParams, days: Days) -> int | None:
    """When time alone moves this user to other flags, seen from the last look: an order ages, a day leaves a window.

    Nobody can say when others move the cut points past her: then she is looked at every `look_every`, until she has
    not bought for so long that she is no part of the population.
    """
    rfm, now = user.own_rfm, user.decided_at
    if rfm is None or rfm.orders <= 0 or rfm.last_order_at is None:
        return None
    look = None
    if params.by != "thresholds" and now < rfm.last_order_at + params.quintiles.bought_within:
        look = now + params.quintiles.look_every
    if params.cuts_at(now) is not None:
        return look
    moments = [
        look,
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
