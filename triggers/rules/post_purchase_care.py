"""Who has just got something and may be glad of a word on how to use it?

Once an order: `after_delivery`, or `after_payment` where no delivery is known by then. Any refund of the order and its
cancellation end it. The guide is that of the first line whose category has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from state import events
from state.calendar import Duration, in_words
from state.contact import Sent
from state.folding import FoldParams
from state.orders import Order
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import last_order, nearest, so, time_is, when

NAME = "post_purchase_care"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`guides` by category, else `default_guide` (None: such orders hear nothing).

    An order counts as paid when it is placed if `orders.count_on` says so.
    """

    after_delivery: Duration
    after_payment: Duration
    guides: dict[str, str]
    default_guide: str | None


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    waiting = [(due, key, order) for due, key, order in _waiting(asked.user, params) if asked.passed(due)]
    for due, order_id, order in sorted(waiting, key=lambda each: each[:2]):
        order.cared = True
        guide, delivered = _guide(order, params), order.delivered_at is not None
        if guide is None:
            continue
        waited = params.after_delivery if delivered else params.after_payment
        return Candidate(
            rule=NAME,
            version=RULE.version,
            user_id=asked.user.user_id,
            step=1,
            anchor=order.anchor or order_id,
            at=due,
            reason=f"{'delivered' if delivered else 'paid'} {in_words(waited)} ago",
            skus=tuple(order.skus),
            fields={"order_id": order_id, "guide": guide},
            offer=params.offer,
        )
    return None


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    return min((due for due, _, _ in _waiting(user, params)), default=None)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    order = asked.user.orders.by_id.get(candidate.fields["order_id"])
    return None if order is not None and _stands(order) else Reason.STALE


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """The order had been cancelled or refunded by then."""
    order = user.orders.by_id.get(event.order_id)
    return order is not None and sent.anchor == (order.anchor or event.order_id) and not _stands(order)


def _waiting(user: User, params: Params) -> Iterator[tuple[int, str, Order]]:
    """Orders of which this rule has not spoken, and when it will."""
    if user.own_orders is None:
        return
    for order_id, order in user.own_orders.by_id.items():
        if order.cared or order.placed_at is None or not _stands(order):
            continue
        paid_at = order.counted_at if order.paid_at is None else order.paid_at
        if order.delivered_at is not None:
            yield order.delivered_at + params.after_delivery, order_id, order
        elif paid_at is not None:
            yield paid_at + params.after_payment, order_id, order


def _stands(order: Order) -> bool:
    return order.cancelled_at is None and not order.refunds


def _guide(order: Order, params: Params) -> str | None:
    guides = params.guides
    found = [(places[0], guides[each]) for each, places in order.categories.items() if each in guides]
    return min(found)[1] if found else params.default_guide


def conditions(asked: Asked, params: Params) -> list[Condition]:
    groups = []
    for due, order_id, order in _waiting(asked.user, params):
        delivered = order.delivered_at is not None
        waited = params.after_delivery if delivered else params.after_payment
        since = f"{'delivered' if delivered else 'paid'} {when(due - waited)}"
        groups.append(
            [
                so(True, f"an order stands of which nothing was said yet: {order_id}, {since}"),
                so(_guide(order, params) is not None, "there is a guide for what is in it"),
                time_is(asked, due, f"{in_words(waited)} have passed since"),
            ]
        )
    return nearest(groups, f"an order is paid or delivered and stands: {last_order(asked.user)}")


RULE = Rule(
    name=NAME,
    version=1,
    question="Who has just got something and may be glad of a word on how to use it?",
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
    refuted_by=(events.OrderCancelled, events.RefundIssued),
    refuted=refuted,
    fields={"order_id": "the order", "guide": "name of the usage guide for its goods"},
)
