"""Which SKUs matter to this user, why, and since when?"""

from __future__ import annotations

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
    """Why a SKU matters to this user, strongest first (`cart`, `favourite`, `viewed`), and since when."""
    line = None if user.own_cart is None else user.own_cart.lines.get(sku)
    if line is not None:
        return "cart", line.added_at
    marked_at = None if user.own_favourites is None else user.own_favourites.skus.get(sku)
    if marked_at is not None:
        return "favourite", marked_at
    viewed = user.activity.viewed.get(sku)
    return None if viewed is None else ("viewed", viewed.at)
