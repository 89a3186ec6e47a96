"""What do we know of a person who turns out to have two ids? The union of two users, of whom one becomes an alias.

Where the order of things does not matter the union is what one user would be who had seen it all: sums, counts,
orders, what was sent. What is remembered in part (the last 64 event ids, the last 20 SKUs, ...) stays within its
bound. How much of a cart line was there before the other id took the SKU out cannot be told: it stays whole, or goes.
"""

from __future__ import annotations

from state import lifecycle
from state.calendar import earliest, latest
from state.contact import Contact, Pending
from state.folding import FoldParams
from state.identity import ALIASES_LIMIT, Ties
from state.interest import taken_at
from state.rfm import Rfm
from state.user import MARK_BYTES, SEEN_BYTES, User

# Parts whose union needs nothing but the two of them.
_PARTS = (
    "cart",
    "favourites",
    "browsing",
    "membership",
    "service",
    "community",
    "scenes",
    "patterns",
    "standing",
    "replies",
    "history",
)


def become_alias(user: User, target: str) -> None:
    """What stays is where to go on, which events this id has seen, as they may come again, and of what it was told.

    For of a circle of links one id lives again; what comes to it before its own state is back must not be said twice.
    """
    blank = User.new(user.user_id)
    blank.seen, blank.own_ties = user.seen, Ties(alias_of=target, links=user.ties.links + 1)
    if user.own_contact is not None and user.own_contact.episodes:
        blank.own_contact = Contact(episodes=user.own_contact.episodes)
    for name in User.__struct_fields__:
        setattr(user, name, getattr(blank, name))


def unite(user: User, moved: User, params: FoldParams) -> list[Pending]:
    """Take in all that another id of the same person was; answers with deferred messages there was no room for."""
    user.first_seen_at = earliest(user.first_seen_at, moved.first_seen_at)
    user.last_seen_at = latest(user.last_seen_at, moved.last_seen_at)
    if moved.registered_at is not None and (
        user.registered_at is None
        or (moved.registered_at, moved.registered_event or "")
        < (user.registered_at, user.registered_event or "")
    ):
        user.registered_at, user.registered_event = moved.registered_at, moved.registered_event
    user.decided_at = max(user.decided_at, moved.decided_at)
    user.seen = _seen_by_both(user.seen, moved.seen)
    visits = _visits_since_order(user, moved, params)
    user.activity.unite(moved.activity)
    user.activity.visits_since_order = visits
    _unite_orders(user, moved, params)
    _unite_tier(user, moved, params)
    for part in _PARTS:
        theirs = getattr(moved, f"own_{part}")
        if theirs is not None:
            getattr(user, part).unite(theirs)
    for rule, at in (moved.own_wakes or {}).items():
        if rule not in user.wakes or at < user.wakes[rule]:
            user.wakes[rule] = at
            user.note_stanza(rule, moved.stanza_of(rule))
    _unite_ties(user, moved)
    for sku in user.activity.viewed.skus:
        user.activity.viewed.end(sku, taken_at(user, sku))
    return [] if moved.own_contact is None else user.contact.unite(moved.own_contact)


def _seen_by_both(own: bytes, theirs: bytes) -> bytes:
    """Its own first: what is sent again under the other id is known to the alias, which keeps its own."""
    marks = [theirs[at : at + MARK_BYTES] for at in range(0, len(theirs), MARK_BYTES)]
    return (b"".join(mark for mark in marks if mark not in own) + own)[-SEEN_BYTES:]


def _visits_since_order(user: User, moved: User, params: FoldParams) -> int:
    """Of whom ordered last all that have counted, of the other those on the days after."""
    ordered = [
        (-1 if u.own_rfm is None else latest(u.own_rfm.last_order_at, -1) or 0, u) for u in (user, moved)
    ]
    (_, early), (last_order_at, late) = sorted(ordered, key=lambda each: each[0])
    others = early.activity.visits_since_order
    if last_order_at >= 0:
        others = min(others, early.activity.sessions_after(last_order_at, params.days))
    return late.activity.visits_since_order + others


def _unite_orders(user: User, moved: User, params: FoldParams) -> None:
    if moved.own_orders is not None:
        for order_id in user.orders.by_id.keys() & moved.orders.by_id.keys():
            for each in (user, moved):
                order = each.orders.by_id[order_id]
                if held := order.kept():
                    each.purchases.change(held, {}, order.counted_at or 0, params.days)
        on_placed = params.count_on == "placed"
        shared = user.orders.unite(
            user.rfm, moved.orders, moved.own_rfm or Rfm(), params.days, on_placed=on_placed
        )
        if moved.own_purchases is not None:
            user.purchases.unite(moved.own_purchases, params.days)
        for order in shared:
            if holds := order.kept():
                user.purchases.change({}, holds, order.counted_at or 0, params.days)
    _unite_lifecycle(user, moved, params)


def _unite_lifecycle(user: User, moved: User, params: FoldParams) -> None:
    """What was announced of the one who lives stands until the rule looks again; what both did ends or begins it."""
    own, theirs = user.lifecycle, moved.lifecycle
    if own.stage is None:
        own.stage, own.since, own.recovery_days = theirs.stage, theirs.since, theirs.recovery_days
    elif own.stage == theirs.stage:
        own.recovery_days = tuple(sorted({*own.recovery_days, *theirs.recovery_days}))[-8:]
    own.returned_at = latest(own.returned_at, theirs.returned_at)
    rfm = user.own_rfm
    if rfm is not None and rfm.last_order_at is not None:
        ordered_at = sorted(user.orders.counted())
        if len(ordered_at) == rfm.orders:  # all are known: which of them came after a long silence?
            own.returned_at = lifecycle.last_return(ordered_at, params.lifecycle, params.days)
        if own.since is not None and rfm.last_order_at >= own.since:
            lifecycle.note_order(user, rfm.last_order_at, None, params.lifecycle)
    if moved.activity.last_visit_at is not None:
        lifecycle.note_visit(user, moved.activity.last_visit_at)


def _unite_tier(user: User, moved: User, params: FoldParams) -> None:
    """The higher one, and what was said on the way to the next from there: both have been told."""
    theirs = moved.own_membership
    if theirs is None or theirs.tier is None:
        return
    own, rank = user.membership, params.membership.rank
    if own.tier is None or (rank(theirs.tier) or 0) > (rank(own.tier) or 0):
        own.tier, own.since, own.near = theirs.tier, theirs.since, theirs.near or own.near
    elif own.tier == theirs.tier:
        own.since = earliest(own.since, theirs.since)


def _unite_ties(user: User, moved: User) -> None:
    theirs = moved.own_ties or Ties()
    user.ties.unite(theirs)
    aliases = [*theirs.aliases, moved.user_id]
    known = [*(alias for alias in user.ties.aliases if alias not in aliases), *aliases]
    user.ties.aliases = [alias for alias in known if alias != user.user_id][-ALIASES_LIMIT:]
