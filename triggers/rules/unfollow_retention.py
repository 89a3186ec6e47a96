"""Who has left the store after visiting in vain?

`visits` in a row without an order, then the store is unfollowed: told at once. A visit is a session; of a user
whose shop tells no sessions, clicks with less than half an hour of silence between them (state/visits.py). The visit in
which the store is unfollowed is one of them. Paid or not, an order that stands ends the row, and one that comes later,
or following again, makes the message needless. Unfollowing again without following in between is no news.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from state import events
from state.contact import Sent
from state.user import User
from state.values import LAST_TS
from state.visits import VISITS_LIMIT
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import needs_event, so

NAME = "unfollow_retention"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`visits` without an order before the store was unfollowed, as many as a user's memory holds at most."""

    visits: Annotated[int, Meta(ge=1, le=VISITS_LIMIT)]


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, left = asked.user, asked.event
    if left is None or user.community.followed_at >= left.ts or _told_since_following(user):
        return None
    visits = user.activity.visits_between(_last_order_at(user), left.ts)
    if visits < params.visits:
        return None
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=left.event_id,
        at=left.ts,
        reason=f"store unfollowed after {visits} visit{'s' if visits > 1 else ''} without an order",
        fields={"visits": visits},
        offer=params.offer,
    )


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    user = asked.user
    came_back = max(user.community.followed_at, _last_order_at(user)) >= candidate.at
    return Reason.STALE if came_back else None


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """An order before the store was unfollowed, after which there were too few visits."""
    order, activity = user.orders.by_id.get(event.order_id), user.activity
    if order is None or order.cancelled_by(sent.due) or event.ts > sent.due:
        return False
    if activity.visits_between(event.ts, LAST_TS) == VISITS_LIMIT:
        return False  # all that is remembered came after the order: who knows how many more there were
    return activity.visits_between(event.ts, sent.due) < params.visits


def _last_order_at(user: User) -> int:
    placed = None if user.own_orders is None else user.own_orders.last_placed_at()
    paid = None if user.own_rfm is None else user.own_rfm.last_order_at
    return max(-1 if placed is None else placed, -1 if paid is None else paid)


def _told_since_following(user: User) -> bool:
    told = [] if user.own_contact is None else user.own_contact.episodes.get(NAME, [])
    return any(episode.at > user.community.followed_at for episode in told)


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, left = asked.user, asked.event
    until, since = asked.now if left is None else left.ts, _last_order_at(user)
    visits, follows = user.activity.visits_between(since, until), user.community.followed_at
    return [
        needs_event(asked, events.StoreUnfollowed, "she unfollows the store"),
        so(
            (left is None or follows < left.ts) and not _told_since_following(user),
            "she has not followed again, or been told so since she did",
        ),
        so(
            visits >= params.visits,
            f"{params.visits} visits or more without an order by then: {visits} so far",
        ),
    ]


RULE = Rule(
    name=NAME,
    version=1,
    question="Who has left the store after visiting in vain?",
    params=Params,
    on=(events.StoreUnfollowed,),
    evaluate=evaluate,
    holds=holds,
    conditions=conditions,
    swayed_by=(events.StoreFollowed, events.OrderPlaced, events.OrderPaid, events.OrderCancelled),
    refuted_by=(events.OrderPlaced, events.OrderPaid),
    refuted=refuted,
    fields={"visits": "visits since the last order, as far as they are remembered"},
)
