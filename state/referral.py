"""Was this user brought by somebody, and has her first order that counts kept its word?"""

from __future__ import annotations

from state.user import User


def brought_at(user: User) -> int | None:
    """When her first order counted, if somebody else had brought her by then and nothing of it was refunded."""
    ties, rfm = user.own_ties, user.own_rfm
    if ties is None or ties.referrer is None or rfm is None or rfm.first_order_at is None:
        return None
    if rfm.first_order_at < ties.referred_at or ties.referrer in (user.user_id, *ties.aliases):
        return None
    first = user.orders.first_counted
    refunded = first is not None and any(
        order.refunds for order in user.orders.by_id.values() if first in (order.anchor, order.paid_event)
    )
    return None if refunded else rfm.first_order_at
