"""Who filled a cart and walked away from it?

A cart that nobody touched for `delay` is worth a reminder; after `second_delay` a second one with an
extra coupon. Any change of the cart restarts the clock and opens a new episode.
"""

from __future__ import annotations

from typing import Any

from state import events
from state.calendar import Duration, in_words
from state.contact import Sent
from state.folding import FoldParams
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import counted, so, time_is, when

NAME = "cart_abandoned"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`delay`, `second_delay` since the last change (None: one step); `low_stock_at` pieces left or fewer."""

    delay: Duration
    second_delay: Duration | None
    second_offer: str | None
    low_stock_at: int


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    cart = asked.user.cart
    step, due = _next_step(asked.user, params)
    if due is None or cart.anchor is None or not asked.passed(due):
        return None
    left = {
        sku: item.available for sku in cart.lines if (item := asked.facts(sku)) and item.available is not None
    }
    low = {sku: count for sku, count in left.items() if 0 < count <= params.low_stock_at}
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=asked.user.user_id,
        step=step,
        anchor=cart.anchor,
        at=due,
        reason=f"cart untouched for {in_words(_waited(step, params))}",
        skus=tuple(cart.lines),
        fields={"low_stock": low} if low else {},
        offer=params.second_offer if step == 2 else params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    return _next_step(user, params)[1]


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    cart = asked.user.cart
    return None if cart.lines and cart.anchor == candidate.anchor else Reason.STALE


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """The cart was touched after the change that the message counted from: an order or a removal of what was in it,
    a clear, or anything put in."""
    if not sent.due - _waited(sent.step, params) < event.ts <= sent.due:
        return False
    if isinstance(event, events.OrderPlaced):
        return any(line.sku in sent.skus for line in event.lines)
    return not isinstance(event, events.CartItemRemoved) or event.sku in sent.skus


def _waited(step: int, params: Params) -> Duration:
    return params.second_delay if step == 2 and params.second_delay is not None else params.delay


def _next_step(user: User, params: Params) -> tuple[int, int | None]:
    cart = user.cart
    if not cart.lines or cart.anchor is None or cart.changed_at is None:
        return 0, None
    done = user.contact.step_of(NAME, cart.anchor)
    if done == 0:
        return 1, cart.changed_at + params.delay
    if done == 1 and params.second_delay is not None:
        return 2, cart.changed_at + params.second_delay
    return 0, None


def conditions(asked: Asked, params: Params) -> list[Condition]:
    cart, (step, due) = asked.user.cart, _next_step(asked.user, params)
    if not cart.lines or cart.anchor is None or cart.changed_at is None:
        emptied = "" if cart.changed_at is None else f"; it has been empty since {when(cart.changed_at)}"
        return [so(False, f"something is in the cart{emptied}")]
    filled = (
        f"something is in the cart: {counted(len(cart.lines), 'SKU')}, last changed {when(cart.changed_at)}"
    )
    found = [so(True, filled), so(due is not None, "since that change a step is left to tell")]
    if due is None:
        return found
    return [
        *found,
        time_is(asked, due, f"nobody touches it for {in_words(_waited(step, params))}: step {step}"),
    ]


RULE = Rule(
    name=NAME,
    version=1,
    question="Who filled a cart and walked away from it?",
    params=Params,
    on=(events.CartItemAdded, events.CartItemRemoved, events.CartCleared, events.OrderPlaced),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    refuted_by=(events.CartItemAdded, events.CartItemRemoved, events.CartCleared, events.OrderPlaced),
    refuted=refuted,
    fields={"low_stock": "pieces left by SKU, only SKUs with `low_stock_at` or fewer left"},
)
