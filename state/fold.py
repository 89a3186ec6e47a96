"""How does an event change what we know? `apply`, the one dispatch over event kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

from msgspec import Struct
from xxhash import xxh3_64_digest

from state import contact, events, lifecycle
from state.calendar import Days
from state.letters import LinkAsked, ReferralPaid, Referred, UserMoved
from state.lifecycle import LifecycleParams
from state.user import SEEN_BYTES, User


class FoldParams(Struct, frozen=True, kw_only=True):
    """What the operator chose about folding: when an order counts, day buckets, stages."""

    count_on: Literal["paid", "placed"]
    days: Any  # state.calendar.Days
    lifecycle: LifecycleParams


class Applied(Struct, frozen=True, gc=False):
    """What an event did: nothing (a duplicate, an erased user), or something, perhaps a newly watched SKU."""

    changed: bool
    watches: str | None = None


DUPLICATE = Applied(False)
CHANGED = Applied(True)

_BETWEEN_USERS = (events.StockEdge, LinkAsked, UserMoved, Referred, ReferralPaid)
# A source numbers its own events, so an id is compared within its topic only. The topic goes before the id: as the
# seed of xxh3 it would be mixed with short ids so simply that "21" of one topic is "23" of another.
_TOPIC: dict[type, bytes] = {
    **{
        kind: bytes((number,))
        for number, union in enumerate(events.TOPICS.values())
        for kind in get_args(union) or (union,)
    },
    **dict.fromkeys(_BETWEEN_USERS, bytes(([*events.TOPICS].index("letters"),))),
}
_NO_SIGN_OF_LIFE = frozenset(_BETWEEN_USERS)


def apply(user: User, event: Any, params: FoldParams) -> Applied:
    """Fold `event` into `user`, once: a repeated event_id changes nothing."""
    kind = event.__class__
    mark = xxh3_64_digest(_TOPIC[kind] + event.event_id.encode())
    seen = user.seen
    if mark in seen or user.erased_at is not None:
        return DUPLICATE
    user.seen = (seen + mark)[-SEEN_BYTES:]
    ts = event.ts
    if kind not in _NO_SIGN_OF_LIFE:
        if user.last_seen_at is None or ts > user.last_seen_at:
            user.last_seen_at = ts
        if user.first_seen_at is None or ts < user.first_seen_at:
            user.first_seen_at = ts
        if kind in _VISITS:
            user.activity.visit(ts, event.platform)
            if user.lifecycle.stage == "declining":
                lifecycle.note_visit(user, ts)
    fold = _FOLDS.get(kind)
    if fold is None:
        return CHANGED
    return fold(user, event, params) or CHANGED


def knows(user: User, event: Any) -> bool:
    """Has this id had the event already? An alias remembers those of its own time."""
    return _mark(event) in user.seen


def note(user: User, event: Any) -> bool:
    """Remember an event that is not folded; False if it has been here before."""
    if knows(user, event):
        return False
    user.seen = (user.seen + _mark(event))[-SEEN_BYTES:]
    return True


def _mark(event: Any) -> bytes:
    return xxh3_64_digest(_TOPIC[event.__class__] + event.event_id.encode())


def _product_viewed(user: User, e: events.ProductViewed, params: FoldParams) -> Applied | None:
    days: Days = params.days
    return Applied(True, e.sku) if user.activity.view(e.ts, e.sku, e.category, e.price, days) else None


def _category_viewed(user: User, e: events.CategoryViewed, params: FoldParams) -> None:
    user.activity.like(e.category)


def _session_started(user: User, e: events.SessionStarted, params: FoldParams) -> None:
    user.activity.session(e.ts, params.days)


def _searched(user: User, e: events.Searched, params: FoldParams) -> None:
    user.activity.search(e.ts, params.days)


def _cart_added(user: User, e: events.CartItemAdded, params: FoldParams) -> Applied:
    user.cart.add(e.ts, e.event_id, e.sku, e.quantity, e.price, e.category)
    if e.category is not None:
        user.activity.like(e.category)
    return Applied(True, e.sku)


def _cart_removed(user: User, e: events.CartItemRemoved, params: FoldParams) -> None:
    user.cart.remove(e.ts, e.event_id, e.sku, e.quantity)


def _cart_cleared(user: User, e: events.CartCleared, params: FoldParams) -> None:
    user.cart.clear(e.ts, e.event_id)


def _favorited(user: User, e: events.Favorited, params: FoldParams) -> Applied | None:
    return Applied(True, e.sku) if user.favourites.add(e.ts, e.sku) else None


def _unfavorited(user: User, e: events.Unfavorited, params: FoldParams) -> None:
    user.favourites.remove(e.ts, e.sku)


def _order_placed(user: User, e: events.OrderPlaced, params: FoldParams) -> None:
    order = user.orders.get(e.order_id)
    if order.placed_at is not None:
        return
    order.placed_at, order.anchor, order.total = e.ts, e.event_id, e.total
    order.skus = [line.sku for line in e.lines]
    user.cart.order(e.ts, e.event_id, order.skus)
    for line in e.lines:
        if line.category is not None:
            user.activity.like(line.category)
    _count(user, e.order_id, params)


def _order_paid(user: User, e: events.OrderPaid, params: FoldParams) -> None:
    order = user.orders.get(e.order_id)
    if order.paid_at is not None:
        return
    order.paid_at, order.paid_event = e.ts, e.event_id
    _count(user, e.order_id, params)


def _count(user: User, order_id: str, params: FoldParams) -> None:
    order = user.orders.get(order_id)
    before = user.rfm.last_order_at
    if user.orders.count(order, user.rfm, params.days, on_placed=params.count_on == "placed"):
        user.activity.visits_since_order = 0
        lifecycle.note_order(user, order.counted_at or 0, before, params.lifecycle)


def _order_cancelled(user: User, e: events.OrderCancelled, params: FoldParams) -> None:
    order, on_placed = user.orders.get(e.order_id), params.count_on == "placed"
    user.orders.cancel(order, e.ts, user.rfm, params.days, on_placed=on_placed)


def _order_delivered(user: User, e: events.OrderDelivered, params: FoldParams) -> None:
    order = user.orders.get(e.order_id)
    if order.delivered_at is None:
        order.delivered_at = e.ts


def _refund_issued(user: User, e: events.RefundIssued, params: FoldParams) -> None:
    user.orders.refund(user.orders.get(e.order_id), e.ts, e.amount, user.rfm, params.days)


def _registered(user: User, e: events.Registered, params: FoldParams) -> None:
    if user.registered_at is None or e.ts < user.registered_at:
        user.registered_at, user.registered_event = e.ts, e.event_id


def _profile_updated(user: User, e: events.ProfileUpdated, params: FoldParams) -> None:
    known = user.contact
    if e.ts < known.profile_at:
        return
    known.profile_at = e.ts
    for name in ("birthday", "region", "timezone", "locale"):
        value = getattr(e, name)
        if value is not None:
            setattr(known, name, value)
    if e.preferred_channels is not None:
        known.preferred_channels = list(e.preferred_channels)
    if e.child_birthdays is not None:
        known.child_birthdays = list(e.child_birthdays)


def _consent_changed(user: User, e: events.ConsentChanged, params: FoldParams) -> None:
    user.contact.set_consent(e.channel, e.granted, e.ts)


def _unsubscribed(user: User, e: events.Unsubscribed, params: FoldParams) -> None:
    user.contact.set_consent(e.channel, False, e.ts)


def _erase_requested(user: User, e: events.EraseRequested, params: FoldParams) -> None:
    """All that stays is the marker that makes later and replayed events of this user do nothing."""
    blank = User.new(user.user_id)
    for name in User.__struct_fields__:
        setattr(user, name, getattr(blank, name))
    user.erased_at = e.ts


def _stock_edge(user: User, e: events.StockEdge, params: FoldParams) -> None:
    """Remember an edge of a SKU the user cares about; the rules decide who hears of it, and when.

    A second edge of the same kind means that the first is over.
    """
    known = interest_in(user, e.sku)
    if known is not None:
        interest, seen_at = known
        alerts = [a for a in user.contact.alerts if (a.sku, a.edge) != (e.sku, e.edge)]
        alerts.append(contact.Alert(e.edge, e.sku, e.event_id, e.ts, e.since, interest, seen_at, e.available))
        user.contact.alerts = alerts[-contact.ALERTS_LIMIT :]


def _referred(user: User, e: Referred, params: FoldParams) -> None:
    user.ties.refer(e.referrer, e.ts)


def _referral_paid(user: User, e: ReferralPaid, params: FoldParams) -> None:
    user.ties.reward(e.referee_id, e.ts)


def interests(user: User) -> dict[str, int]:
    """The SKUs that matter to this user, and when that last showed."""
    found = {sku: viewed.at for sku, viewed in user.activity.viewed.items()}
    if user.own_favourites is not None:
        for sku, at in user.own_favourites.skus.items():
            found[sku] = max(at, found.get(sku, at))
    if user.own_cart is not None:
        for sku, line in user.own_cart.lines.items():
            found[sku] = max(line.added_at, found.get(sku, line.added_at))
    return found


def interest_in(user: User, sku: str) -> tuple[str, int] | None:
    """Why a SKU matters to this user, strongest first (`cart`, `favourite`, `viewed`), and since when."""
    line = None if user.own_cart is None else user.own_cart.lines.get(sku)
    if line is not None:
        return "cart", line.added_at
    marked_at = None if user.own_favourites is None else user.own_favourites.skus.get(sku)
    if marked_at is not None:
        return "favourite", marked_at
    viewed = user.activity.viewed.get(sku)
    return None if viewed is None else ("viewed", viewed.at)


_VISITS = frozenset((*get_args(events.Clickstream), events.OrderPlaced))
_FOLDS: dict[type, Callable[[User, Any, FoldParams], Applied | None]] = {
    events.ProductViewed: _product_viewed,
    events.CategoryViewed: _category_viewed,
    events.SessionStarted: _session_started,
    events.Searched: _searched,
    events.CartItemAdded: _cart_added,
    events.CartItemRemoved: _cart_removed,
    events.CartCleared: _cart_cleared,
    events.Favorited: _favorited,
    events.Unfavorited: _unfavorited,
    events.OrderPlaced: _order_placed,
    events.OrderPaid: _order_paid,
    events.OrderCancelled: _order_cancelled,
    events.OrderDelivered: _order_delivered,
    events.RefundIssued: _refund_issued,
    events.Registered: _registered,
    events.ProfileUpdated: _profile_updated,
    events.ConsentChanged: _consent_changed,
    events.Unsubscribed: _unsubscribed,
    events.EraseRequested: _erase_requested,
    events.StockEdge: _stock_edge,
    Referred: _referred,
    ReferralPaid: _referral_paid,
}
