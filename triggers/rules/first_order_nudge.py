"""Who joined us and has not ordered anything yet?

Asked once in a user's life, `delay` after she registered; an order placed by then, unless cancelled,
makes it needless.
"""

from __future__ import annotations

from typing import Any

from state import events
from state.calendar import Duration, in_words
from state.contact import Sent
from state.folding import FoldParams
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import last_order, so, time_is, when

NAME = "first_order_nudge"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`delay` after registration."""

    delay: Duration


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user = asked.user
    due, anchor = wake_at(user, params, asked.fold), user.registered_event
    if due is None or anchor is None or not asked.passed(due) or _has_ordered(user):
        return None
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=anchor,
        at=due,
        reason=f"registered {in_words(params.delay)} ago, no order yet",
        offer=params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    if user.registered_at is None or NAME in user.contact.episodes:
        return None
    return user.registered_at + params.delay


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    return Reason.STALE if _has_ordered(asked.user) else None


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """An order that stood when she was asked."""
    order = user.orders.by_id.get(event.order_id)
    return order is not None and event.ts <= sent.due and not order.cancelled_by(sent.due)


def _has_ordered(user: User) -> bool:
    return user.rfm.orders > 0 or user.orders.last_placed_at() is not None


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user = asked.user
    if user.registered_at is None or user.registered_event is None:
        return [so(False, "she has registered")]
    return [
        so(True, f"she has registered: {when(user.registered_at)}"),
        so(NAME not in user.contact.episodes, "she has never been asked: it is asked once in a life"),
        so(not _has_ordered(user), f"she has not ordered: {last_order(user)}"),
        time_is(asked, user.registered_at + params.delay, f"{in_words(params.delay)} have passed since"),
    ]


RULE = Rule(
    name=NAME,
    version=1,
    question="Who joined us and has not ordered anything yet?",
    params=Params,
    on=(events.Registered,),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    swayed_by=(events.OrderPlaced, events.OrderPaid, events.OrderCancelled),
    refuted_by=(events.OrderPlaced,),
    refuted=refuted,
)
