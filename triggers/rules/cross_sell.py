"""Who has received something that goes with something she does not have?

`delay` after a delivery, for each category of the order with a companion of which she has bought nothing for
`owned_for`. What she has ordered and not paid yet counts as bought. Each companion is named once an order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from state import events
from state.calendar import Duration
from state.contact import Sent
from state.folding import FoldParams
from state.orders import Order
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import after, last_order, listed, nearest, so, when

NAME = "cross_sell"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`companions`: category by category; `delay` after the delivery.

    A purchase of the companion counts as owning it for `owned_for` (None: for ever).
    """

    companions: dict[str, str]
    delay: Duration
    owned_for: Duration | None


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    waiting = [(due, key) for due, key, _ in _waiting(asked.user, params) if _is_due(asked, due, params)]
    for due, order_id in sorted(waiting):
        order = asked.user.orders.by_id[order_id]
        pairs = _pairs(order, params)
        while order.paired < len(pairs):
            category, companion = pairs[order.paired]
            order.paired += 1
            if _is_wanted(asked.user, order, category, companion, due, asked.now, params):
                return _candidate(asked.user, order_id, order, category, companion, due, params)
    return None


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    return min((due for due, _, _ in _waiting(user, params)), default=None)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    fields, user = candidate.fields, asked.user
    order = user.orders.by_id.get(fields["order_id"])
    if order is None:
        return Reason.STALE
    category, companion = fields["category"], fields["companion"]
    wanted = _is_wanted(user, order, category, companion, candidate.at, asked.now, params)
    return None if wanted else Reason.STALE


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """She had the companion by then, or the order was taken back."""
    for order in [] if user.own_orders is None else user.own_orders.by_id.values():
        for category, companion in _pairs(order, params):
            if sent.anchor == f"{order.anchor}:{companion}":
                return not _is_wanted(user, order, category, companion, sent.due, sent.due, params)
    return False


def _candidate(
    user: User, order_id: str, order: Order, category: str, companion: str, due: int, params: Params
) -> Candidate:
    held = order.held()
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=f"{order.anchor}:{companion}",
        at=due,
        reason=f"{category} delivered, no {companion} bought",
        skus=tuple(sku for sku, of in held.items() if of == category),
        fields={"category": category, "companion": companion, "order_id": order_id},
        offer=params.offer,
    )


def _waiting(user: User, params: Params) -> Iterator[tuple[int, str, Order]]:
    """Orders of which something is still to be looked at."""
    if user.own_orders is None:
        return
    companions = params.companions.keys()
    for order_id, order in user.own_orders.by_id.items():
        if order.delivered_at is None or companions.isdisjoint(order.categories):
            continue
        if order.paired < len(_pairs(order, params)):
            yield order.delivered_at + params.delay, order_id, order


def _pairs(order: Order, params: Params) -> list[tuple[str, str]]:
    """(category, companion) of the order, each companion once."""
    first: dict[str, str] = {}
    for category in order.categories:
        companion = params.companions.get(category)
        if companion is not None and companion != category:
            first.setdefault(companion, category)
    return [(category, companion) for companion, category in first.items()]


def _is_due(asked: Asked, due: int, params: Params) -> bool:
    """Without a delay it goes with the delivery itself; a later one waits like any timer."""
    return asked.passed(due) or (params.delay == 0 and due == asked.now)


def _is_wanted(
    user: User, order: Order, category: str, companion: str, due: int, until: int, params: Params
) -> bool:
    """Has she still what was delivered, and, from `owned_for` before it was due `until` now, no companion?"""
    if category not in order.held().values():
        return False
    since = -1 if params.owned_for is None else due - params.owned_for
    bought = user.purchases.categories.get(companion)
    if bought is not None and (
        any(since <= at <= until for at in bought.times)
        or (bought.earlier > 0 and since <= bought.first_at <= until)
    ):
        return False
    return not any(
        companion in other.held().values()
        for other in user.orders.by_id.values()
        if other.counted_at is None and since <= (other.placed_at or 0) <= until
    )


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user = asked.user
    groups = [
        [
            so(True, f"an order with {category} was delivered: {order_id}, {when(order.delivered_at or 0)}"),
            so(_is_due(asked, due, params), after(params.delay), due),
            so(
                _is_wanted(user, order, category, companion, due, asked.now, params),
                f"she has kept it and has no {companion}",
            ),
        ]
        for due, order_id, order in _waiting(user, params)
        for category, companion in _pairs(order, params)[order.paired :]
    ]
    pairs = listed([f"{category} with {companion}" for category, companion in params.companions.items()])
    missing = f"an order is delivered that something goes with ({pairs}) and that was not looked at"
    return nearest(groups, f"{missing}: {last_order(user)}")


RULE = Rule(
    name=NAME,
    version=1,
    question="Who has received something that goes with something she does not have?",
    params=Params,
    on=(
        events.OrderPlaced,
        events.OrderPaid,
        events.OrderCancelled,
        events.OrderDelivered,
        events.RefundIssued,
    ),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    refuted_by=(events.OrderPlaced, events.OrderPaid, events.OrderCancelled, events.RefundIssued),
    refuted=refuted,
    fields={
        "category": "what was delivered; `skus` are those of the order",
        "companion": "the category that goes with it",
        "order_id": "the order that was delivered",
    },
)
