"""What does the click stream tell of a user? Views, visits, cart and favourites."""

from __future__ import annotations

from state import events
from state.audience import relist
from state.calendar import Days
from state.folding import Applied, FoldParams, Folds
from state.interest import end_interest, taken_at
from state.user import User


def _product_viewed(user: User, e: events.ProductViewed, params: FoldParams) -> Applied | None:
    days: Days = params.days
    sku, activity = e.sku, user.activity
    since = -1 if user.own_cart is None or sku in activity.viewed else taken_at(user, sku)
    return Applied(True, sku) if activity.view(e.ts, sku, e.category, e.price, days, since) else None


def _category_viewed(user: User, e: events.CategoryViewed, params: FoldParams) -> None:
    user.activity.like(e.category)
    user.browsing.look(e.ts, e.category)


def _session_started(user: User, e: events.SessionStarted, params: FoldParams) -> None:
    user.activity.session(e.ts, params.days)


def _searched(user: User, e: events.Searched, params: FoldParams) -> None:
    user.activity.search(e.ts, params.days)


def _cart_added(user: User, e: events.CartItemAdded, params: FoldParams) -> Applied:
    user.cart.add(e.ts, e.event_id, e.sku, e.quantity, e.price, e.category)
    end_interest(user, e.sku, e.category, e.ts)
    if e.category is not None:
        user.activity.like(e.category)
    return Applied(True, e.sku, *relist(user))


def _cart_removed(user: User, e: events.CartItemRemoved, params: FoldParams) -> None:
    user.cart.remove(e.ts, e.event_id, e.sku, e.quantity)


def _cart_cleared(user: User, e: events.CartCleared, params: FoldParams) -> None:
    user.cart.clear(e.ts, e.event_id)


def _favorited(user: User, e: events.Favorited, params: FoldParams) -> Applied | None:
    viewed = user.activity.viewed.get(e.sku)
    price = None if viewed is None else viewed.price
    return Applied(True, e.sku, *relist(user)) if user.favourites.add(e.ts, e.sku, price) else None


def _unfavorited(user: User, e: events.Unfavorited, params: FoldParams) -> None:
    user.favourites.remove(e.ts, e.sku)


FOLDS: Folds = {
    events.ProductViewed: _product_viewed,
    events.CategoryViewed: _category_viewed,
    events.SessionStarted: _session_started,
    events.Searched: _searched,
    events.CartItemAdded: _cart_added,
    events.CartItemRemoved: _cart_removed,
    events.CartCleared: _cart_cleared,
    events.Favorited: _favorited,
    events.Unfavorited: _unfavorited,
}
