"""To which audiences does this user belong, and in which is the user listed?

The shard keeps a list of users by audience (`a:<audience>`). What a user is listed under is noted with the user, so
that only a change reaches the list; an entry of the list is a hint, as the user may have gone since.
"""

from __future__ import annotations

from state.user import User

INTERESTED = "interested"  # has a favourite, something in the cart, or an order in flight

Keys = tuple[str, ...]
_NO_CHANGE: tuple[Keys, Keys] = ((), ())


def of_region(region: str) -> str:
    return f"region:{region}"


def is_interested(user: User) -> bool:
    cart, favourites, orders = user.own_cart, user.own_favourites, user.own_orders
    return bool(
        (cart is not None and cart.lines)
        or (favourites is not None and favourites.skus)
        or (orders is not None and orders.by_id)
    )


def listed(user: User) -> Keys:
    """The audiences in whose lists the user is, as far as the user knows."""
    scenes = user.own_scenes
    if scenes is None:
        return ()
    region = () if scenes.region is None else (of_region(scenes.region),)
    return (*region, INTERESTED) if scenes.interested else region


def relist(user: User) -> tuple[Keys, Keys]:
    """Note to which audiences the user belongs now; which are joined, and which left.

    Nobody leaves for want of interest: whose cart is empty for a moment would go in and out. `delist` does that.
    """
    scenes = user.own_scenes
    region = None if user.own_contact is None else user.own_contact.region
    interested = scenes is not None and scenes.interested
    if (interested or not is_interested(user)) and region == (None if scenes is None else scenes.region):
        return _NO_CHANGE
    before = listed(user)
    user.scenes.region, user.scenes.interested = region, interested or is_interested(user)
    now = listed(user)
    return tuple(key for key in now if key not in before), tuple(key for key in before if key not in now)


def delist(user: User) -> bool:
    """Whoever has nothing any more is not interested; True if that is new. To be asked at a call."""
    scenes = user.own_scenes
    if scenes is None or not scenes.interested or is_interested(user):
        return False
    scenes.interested = False
    return True
