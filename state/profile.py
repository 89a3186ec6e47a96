"""What does a person read about a user? The single customer view, null where nothing is known."""

from __future__ import annotations

from state.activity import SESSIONS, VIEWS
from state.calendar import WEEK, Days, iso
from state.cart import Cart
from state.contact import Contact
from state.folding import FoldParams
from state.lifecycle import Lifecycle, stage_of
from state.membership import Membership
from state.predict import Prediction, predict
from state.profile_shape import (
    ActivityProfile,
    CartProfile,
    LineProfile,
    MembershipProfile,
    PredictionsProfile,
    Profile,
    RfmProfile,
    SentProfile,
    StageProfile,
    Window,
)
from state.replies import CLICKED, DELIVERED, OPENED, Replies
from state.rfm import WINDOWS_DAYS, Rfm
from state.scores import scores_of, values_of
from state.segments import flags_of, group_of, segment_name
from state.tags import tags
from state.tiers import rank_of
from state.user import User


def profile(user: User, now: int, fold: FoldParams) -> Profile:
    """The profile at `now` (epoch ms) in the shape of interface.md section 7.

    Times are RFC 3339, money is minor units, windows are by the day numbers of `fold.days`. Segment and group are
    those of the windows shown: segment_changed tells of a change only when it has settled. What beckon does not
    know is there and null; so are scores while segments go by thresholds.
    """
    days: Days = fold.days
    contact = user.own_contact or Contact()
    expected = predict(user, now, fold.predict, silence=8 * WEEK, orders=26 * WEEK)
    return {
        "user_id": user.user_id,
        "as_of": iso(now),
        "first_seen_at": _iso(user.first_seen_at),
        "last_seen_at": _iso(user.last_seen_at),
        "rfm": _rfm(user, now, fold),
        "activity": _activity(user, now, days),
        "cart": _cart(user),
        "lifecycle": _lifecycle(user, now, fold),
        "membership": _membership(user, now, fold),
        "tags": tags(user, now, fold, expected),
        "predictions": _predictions(expected),
        "consent": {channel: consent.granted for channel, consent in sorted(contact.consent.items())},
        "recent_triggers": _recent_triggers(contact, user.own_replies),
        "aliases": sorted(user.own_ties.aliases) if user.own_ties is not None else [],
    }


def _rfm(user: User, now: int, fold: FoldParams) -> RfmProfile:
    rfm, windows = user.own_rfm or Rfm(), dict[str, Window]()
    days: Days = fold.days
    flags = flags_of(user, now, fold.segments, days)
    cuts = fold.segments.cuts_at(now)
    values = None if cuts is None else values_of(rfm, now, cuts, days)
    r, f, m = (None, None, None) if cuts is None or values is None else scores_of(values, cuts)
    for width in WINDOWS_DAYS:
        orders, net_amount = rfm.window(now, width, days)
        windows[f"{width}d"] = {"orders": orders, "net_amount": net_amount}
    return {
        "last_order_at": _iso(rfm.last_order_at),
        "orders": rfm.orders,
        "net_amount": rfm.net_amount,
        "windows": windows,
        "scores": {"r": r, "f": f, "m": m},
        "cuts_version": None if cuts is None else cuts.version,
        "flags": flags,
        "segment": segment_name(flags),
        "group": group_of(flags),
    }


def _predictions(found: Prediction | None) -> PredictionsProfile:
    """`expected_value`: of an order to come. `next_order_at`: by then one is as probable as none."""
    return {
        "p_no_purchase_8w": None if found is None else found.no_purchase,
        "p_alive": None if found is None else found.alive,
        "expected_orders_26w": None if found is None else found.orders,
        "expected_value": None if found is None else _minor(found.spend),
        "next_order_at": None if found is None else _iso(found.next_order_at),
        "lifetime_value_52w": None if found is None else _minor(found.lifetime_value),
    }


def _activity(user: User, now: int, days: Days) -> ActivityProfile:
    activity = user.activity
    return {
        "views_7d": activity.in_days(VIEWS, now, 7, days),
        "views_30d": activity.in_days(VIEWS, now, 30, days),
        "sessions_7d": activity.in_days(SESSIONS, now, 7, days),
        "sessions_30d": activity.in_days(SESSIONS, now, 30, days),
        "views_48h": activity.in_hours(VIEWS, now, 48),
    }


def _lifecycle(user: User, now: int, fold: FoldParams) -> StageProfile:
    """`since` is known of a stage that stage_changed has found; nobody has looked since then if it is another."""
    known, stage = user.own_lifecycle or Lifecycle(), stage_of(user, now, fold.lifecycle)
    return {"stage": stage, "since": _iso(known.since) if stage == known.stage else None}


def _membership(user: User, now: int, fold: FoldParams) -> MembershipProfile:
    known, terms = user.own_membership or Membership(), fold.membership
    rank, points = rank_of(user, terms, fold.days, now), known.own_points
    tier = None if rank is None else terms.tiers[rank].name
    return {"tier": tier, "points": None if points is None else points.balance(now)}


def _cart(user: User) -> CartProfile:
    cart = user.own_cart or Cart()
    lines: list[LineProfile] = [
        {"sku": sku, "quantity": line.quantity, "price": line.price, "added_at": iso(line.added_at)}
        for sku, line in cart.lines.items()
    ]
    return {"changed_at": _iso(cart.changed_at), "lines": lines}


def _recent_triggers(contact: Contact, replies: Replies | None) -> list[SentProfile]:
    """What was sent, the newest first; whether it was opened and clicked is null where nothing was heard of it."""
    told: list[SentProfile] = []
    for sent in reversed(contact.sent):
        if sent.ghost:
            continue
        signs = (replies.signs_of(sent.id) if replies else None) or 0
        heard = signs & (DELIVERED | OPENED | CLICKED)
        told.append(
            {
                "id": sent.id,
                "rule": sent.rule,
                "at": iso(sent.at),
                "channel": sent.channel or None,
                "opened": bool(signs & OPENED) if heard else None,
                "clicked": bool(signs & CLICKED) if heard else None,
            }
        )
    return told


def _minor(amount: float | None) -> int | None:
    return None if amount is None else round(amount)


def _iso(ts: int | None) -> str | None:
    return None if ts is None else iso(ts)
