"""Who is about to stop buying from us?

Of users with two orders or more the model of purchase times tells (`predict` in the settings): the warning comes when
the `probability` of no purchase within `horizon` is first reached after a purchase. Where no model is fitted, where it
says so much at the purchase already and so nothing crosses, and for users with one order recency decides: no order for
`one_order_recency` or `repeat_recency`. `reason` and `method` say which. Any order restarts the clock, also one not
paid yet. The due time is known at each order, so nobody is polled.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, structs

from state import events
from state.calendar import Duration, in_words
from state.contact import Sent
from state.folding import FoldParams
from state.predict import Rhythm, crosses_at, fit_of, rhythm_of
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import counted, last_order, so, time_is, when

NAME = "churn_risk"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`probability` of no purchase within `horizon`, by the model; without one, or with one order, a recency."""

    probability: Annotated[float, Meta(gt=0, lt=1)]
    horizon: Duration
    one_order_recency: Duration
    repeat_recency: Duration


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user = asked.user
    anchor = user.orders.last_counted
    if anchor is None or user.contact.step_of(NAME, anchor) > 0:
        return None
    predicted = _predicted_at(user, params, asked.fold)
    due = _recency_at(user, params) if predicted is None else predicted
    if due is None or not asked.passed(due):
        return None
    probability = None if predicted is None else params.probability
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=anchor,
        at=due,
        reason=f"no order for {in_words(_recency(user, params))} (recency rule, no model)"
        if predicted is None
        else f"no order in the next {in_words(params.horizon)} with probability {probability:.0%} (model)",
        fields={
            "method": "recency" if predicted is None else "prediction",
            "orders": user.rfm.orders,
            "probability": probability,
        },
        offer=params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    anchor = user.orders.last_counted
    if anchor is None or user.contact.step_of(NAME, anchor) > 0:
        return None
    predicted = _predicted_at(user, params, fold)
    return _recency_at(user, params) if predicted is None else predicted


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    orders = asked.user.orders
    ordered = (orders.last_placed_at() or 0) > candidate.at
    return None if orders.last_counted == candidate.anchor and not ordered else Reason.STALE


def refuted(user: User, event: events.OrderPlaced | events.OrderPaid, sent: Sent, params: Params) -> bool:
    """An order that stands came after the purchase from which the silence was counted, and before the warning."""
    orders = user.orders.by_id
    order = orders.get(event.order_id)
    if order is None or order.cancelled_at is not None or sent.anchor in (order.anchor, order.paid_event):
        return False
    counted = (each.counted_at for each in orders.values() if sent.anchor in (each.anchor, each.paid_event))
    silent_since = next(counted, None)
    return (
        silent_since is not None
        and silent_since < event.ts
        and event.ts in (order.placed_at, order.counted_at)
    )


def _predicted_at(user: User, params: Params, fold: FoldParams) -> int | None:
    """None where recency must do."""
    fit = fit_of(fold.predict)
    if fit is None or user.rfm.orders < 2:
        return None
    rhythm = rhythm_of(user)
    if rhythm is None:
        return None
    return crosses_at(fit, _with_unpaid(user, rhythm, fold), params.probability, params.horizon)


def _with_unpaid(user: User, rhythm: Rhythm, fold: FoldParams) -> Rhythm:
    """An order that does not count yet is a purchase to come: to the model it is one already."""
    placed_at, last_order_at = user.orders.last_placed_at() or 0, user.rfm.last_order_at or 0
    if placed_at <= last_order_at or fold.days.of(placed_at) == fold.days.of(last_order_at):
        return rhythm
    return structs.replace(rhythm, x=rhythm.x + 1, last_at=placed_at)


def _recency_at(user: User, params: Params) -> int | None:
    last_order_at = user.rfm.last_order_at
    if last_order_at is None:
        return None
    return max(last_order_at, user.orders.last_placed_at() or 0) + _recency(user, params)


def _recency(user: User, params: Params) -> Duration:
    return params.one_order_recency if user.rfm.orders == 1 else params.repeat_recency


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user = asked.user
    anchor, last_order_at = user.orders.last_counted, user.rfm.last_order_at
    predicted = _predicted_at(user, params, asked.fold)
    due = _recency_at(user, params) if predicted is None else predicted
    if anchor is None or last_order_at is None or due is None:
        return [so(False, f"an order counts: {last_order(user)}")]
    silence = (
        f"no order, paid or not, for {in_words(_recency(user, params))}"
        if predicted is None
        else f"the model gives {params.probability:.0%} to no order in the next {in_words(params.horizon)}"
    )
    return [
        so(True, f"an order counts: {counted(user.rfm.orders, 'order')}, the last {when(last_order_at)}"),
        so(user.contact.step_of(NAME, anchor) == 0, "of the silence since then nothing has been said yet"),
        time_is(asked, due, silence),
    ]


RULE = Rule(
    name=NAME,
    version=1,
    question="Who is about to stop buying from us?",
    params=Params,
    on=(events.OrderPlaced, events.OrderPaid, events.OrderCancelled),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    refuted_by=(events.OrderPlaced, events.OrderPaid),
    refuted=refuted,
    fields={
        "method": "`prediction` by the model, or `recency`: time since the last order",
        "orders": "orders counted so far",
        "probability": "of no purchase within the horizon, as crossed; null by recency",
    },
)
