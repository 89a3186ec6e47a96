"""Which tags does a user carry? The four kinds of S1: what stays, what moves, what she likes, what is expected.

Tags are read off the state at a moment, none is stored: a window that ends takes its tag along though nothing happens.
What is not known is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from state import tiers
from state.activity import SEARCHES, VIEWS
from state.calendar import days_in, iso
from state.cycles import runs_out
from state.predict import Prediction
from state.rfm import WINDOWS_DAYS, Rfm
from state.tiers import rank_of

if TYPE_CHECKING:
    from state.folding import FoldParams
    from state.user import User

WEEK_DAYS, MONTH_DAYS, *_ = WINDOWS_DAYS
CATEGORIES_SHOWN = 3
ITEMS_SHOWN = 3


class TagParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names of bands, each with where it begins: mean price of a piece (minor units), p of no purchase in 8 weeks."""

    price_bands: dict[str, int]
    churn_risk: dict[str, float]


def tags(user: User, now: int, fold: FoldParams, expected: Prediction | None) -> dict[str, Any]:
    """By kind; `expected` is what the models say of her."""
    return {
        "static": {
            "region": None if user.own_contact is None else user.own_contact.region,
            "registered_at": None if user.registered_at is None else iso(user.registered_at),
        },
        "dynamic": _dynamic(user, now, fold),
        "preference": _preference(user, now, fold),
        "predictive": _predictive(user, now, fold, expected),
    }


def _dynamic(user: User, now: int, fold: FoldParams) -> dict[str, Any]:
    """`visits_since_order`: of the last 5 visits, so 5 stands for more too."""
    activity, cart, rfm = user.activity, user.own_cart, user.own_rfm or Rfm()
    in_cart = (
        []
        if cart is None
        else sorted({line.category for line in cart.lines.values() if line.category is not None})
    )
    _, spent = rfm.window(now, MONTH_DAYS, fold.days)
    return {
        "views_7d": activity.in_days(VIEWS, now, WEEK_DAYS, fold.days),
        "searches_7d": activity.in_days(SEARCHES, now, WEEK_DAYS, fold.days),
        "visits_since_order": activity.visits_between(rfm.last_order_at or 0, now),
        "cart_categories": in_cart,
        "spend_30d": spent,
        "checkin_streak_days": _streak(user, now, fold),
        "next_tier": _next_tier(user, now, fold),
    }


def _preference(user: User, now: int, fold: FoldParams) -> dict[str, Any]:
    """Price and discounts: of the orders remembered (state/orders.py), the last 32 and fewer."""
    known = user.activity.categories
    liked = sorted(known, key=lambda name: (-known[name], name))[:CATEGORIES_SHOWN]
    orders = [] if user.own_orders is None else user.own_orders.by_id.values()
    counted = [each for each in orders if each.counted_at is not None and each.cancelled_at is None]
    detailed = [each for each in counted if each.quantities]
    pieces = sum(sum(each.quantities) for each in detailed)
    price = sum(each.total for each in detailed) / pieces if pieces else None
    with_coupon = sum(each.coupon for each in counted)
    return {
        "categories": liked,
        "price_band": _band(price, fold.tags.price_bands),
        "piece_price": None if price is None else round(price),
        "discount_affinity": round(with_coupon / len(counted), 2) if counted else None,
        "channel": _channel(user, now, fold),
    }


def _predictive(user: User, now: int, fold: FoldParams, expected: Prediction | None) -> dict[str, Any]:
    """`replenishment`: what she will have used up next; what is overdue by a whole cycle she has given up."""
    silence = None if expected is None else expected.no_purchase
    coming = sorted(
        (at, thing.kind, thing.key)
        for at, thing, cycle in runs_out(user.own_purchases, fold.cycles, fold.predict.cycles, fold.days)
        if now < at + cycle
    )
    return {
        "churn_risk": _band(silence, fold.tags.churn_risk),
        "replenishment": [
            {"kind": kind, "item": key, "expected_at": iso(at)} for at, kind, key in coming[:ITEMS_SHOWN]
        ],
    }


def _streak(user: User, now: int, fold: FoldParams) -> int:
    """Check-in days in a row up to today, or to yesterday while today is not over."""
    community, contact = user.own_community, user.own_contact
    if community is None:
        return 0
    today = days_in(None if contact is None else contact.timezone, fold.days).of(now)
    return 0 if community.last_day < today - 1 else community.days_in_a_row()


def _next_tier(user: User, now: int, fold: FoldParams) -> dict[str, Any] | None:
    """What is lacking for it within 365 days, both; null for who has never bought, and at the top."""
    rank, rfm, terms = rank_of(user, fold.membership, fold.days, now), user.own_rfm, fold.membership.tiers
    if rank is None or rfm is None or rank + 1 >= len(terms):
        return None
    tier, (orders, spent) = terms[rank + 1], rfm.window(now, tiers.YEAR_DAYS, fold.days)
    return {"tier": tier.name, "spend": max(0, tier.spend - spent), "orders": max(0, tier.orders - orders)}


def _channel(user: User, now: int, fold: FoldParams) -> str | None:
    """The one she has named, else the one on which she answers most."""
    contact, replies = user.own_contact, user.own_replies
    if contact is not None and contact.preferred_channels:
        return contact.preferred_channels[0]
    return None if replies is None else next(iter(replies.habits(now - fold.habit_within, fold.habits)), None)


def _band(value: float | None, bands: dict[str, Any]) -> str | None:
    """The last one that begins at or below the value."""
    if value is None:
        return None
    reached = [name for name in bands if value >= bands[name]]
    return max(reached, key=lambda name: float(bands[name]), default=None)
