"""Which SKUs matter to this user, why, since when, and what has put an end to it?"""

from __future__ import annotations

from state.browsing import end_looking
from state.user import User


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
    """Why a SKU matters to this user, strongest first (`cart`, `favourite`, `viewed`), and since when.

    What she has bought since is settled.
    """
    bought = bought_at(user, sku)
    line = None if user.own_cart is None else user.own_cart.lines.get(sku)
    if line is not None and line.added_at > bought:
        return "cart", line.added_at
    marked_at = None if user.own_favourites is None else user.own_favourites.skus.get(sku)
    if marked_at is not None and marked_at > bought:
        return "favourite", marked_at
    viewed = user.activity.viewed.get(sku)
    return None if viewed is None or viewed.at <= bought else ("viewed", viewed.at)


def bought_at(user: User, sku: str) -> int:
    """When the SKU was last ordered, paid or not; -1 if never. A cancelled order is no purchase."""
    if user.own_orders is None:
        return -1
    orders = (order for order in user.own_orders.by_id.values() if order.cancelled_at is None)
    return max((order.placed_at or -1 for order in orders if sku in order.skus), default=-1)


def taken_at(user: User, sku: str) -> int:
    """When the SKU last came into the cart or went out of it, as by an order; -1 if never."""
    cart = user.own_cart
    if cart is None:
        return -1
    line = cart.lines.get(sku)
    return max(-1 if line is None else line.added_at, cart.gone.get(sku, -1))


def end_interest(user: User, sku: str, category: str | None, ts: int) -> None:
    """Carted or bought: looking at the SKU, or around in its category, has come to its end."""
    user.activity.viewed.end(sku, ts)
    if user.own_browsing is not None and category is not None:
        end_looking(user.own_browsing.categories.get(category), ts)


def highest_quote(user: User, sku: str) -> int:
    """The highest price of the SKU that this user was told: in the cart, at the mark, at a view; 0 if none."""
    viewed = user.activity.viewed.get(sku)
    highest = 0 if viewed is None or viewed.price is None else viewed.price
    if user.own_favourites is not None:
        highest = max(highest, user.own_favourites.prices.get(sku, 0))
    if user.own_cart is not None and sku in user.own_cart.lines:
        highest = max(highest, user.own_cart.lines[sku].price)
    return highest
