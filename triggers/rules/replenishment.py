"""Who will soon have used up what she bought, and might buy it again?

The expected cycle of an item or category is the user's own mean gap between purchase days, shrunk towards what `fit`
has found to be usual (predict.cycles), else towards the configured cycle: state/cycles.py. It is told `lead` before it
is over, once for each purchase. An order not paid yet is an answer too, as long as it is not cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from state import events
from state.calendar import DAY, Duration, in_words, iso
from state.contact import Sent
from state.cycles import Thing, cycle_of, things
from state.folding import FoldParams
from state.orders import Order
from state.purchases import Bought
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import counted, so, time_is, when

NAME = "replenishment"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`lead` before the expected date; `cycles` by SKU or category, for what `fit` has learned nothing of.

    `shrink`: how many gaps what is usual weighs.

    Where `lead` would be within a day of the purchase, it is told halfway through the cycle.
    """

    lead: Duration
    cycles: dict[str, Duration]
    shrink: Annotated[float, Meta(ge=0)]
    min_purchases: Annotated[int, Meta(ge=2)]


class Waiting(NamedTuple):
    """What will be used up after `cycle`, and when to say so."""

    due: int
    thing: Thing
    cycle: int


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, days = asked.user, asked.fold.days
    waiting = [each for each in _waiting(user, params, asked.fold) if asked.passed(each.due)]
    if not waiting:
        return None
    due, thing, cycle = min(waiting, key=_first)
    thing.bought.told = thing.bought.last_at
    skus = user.purchases.last_of(thing.key) if thing.kind == "category" else [thing.key]
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=_anchor(thing.kind, thing.key, thing.bought.last_at),
        at=due,
        reason=f"lasts about {in_words(max(1, round(cycle / DAY)) * DAY)}",
        skus=tuple(skus),
        fields={
            "kind": thing.kind,
            "item": thing.key,
            "cycle_days": round(cycle / DAY, 2),
            "purchase_days": thing.bought.days_bought(days),
            "last_bought_at": iso(thing.bought.last_at),
            "expected_at": iso(thing.bought.last_at + cycle),
        },
        offer=params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    return min((each.due for each in _waiting(user, params, fold)), default=None)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    kind, key = candidate.fields["kind"], candidate.fields["item"]
    bought = _shelf(asked.user, kind).get(key)
    if bought is None or _anchor(kind, key, bought.last_at) != candidate.anchor:
        return Reason.STALE
    if any(_is_in(order, kind, key, bought.last_at) for order in _open_orders(asked.user)):
        return Reason.STALE
    facts = [asked.facts(sku) for sku in candidate.skus]
    sold_out = [item is not None and item.available == 0 for item in facts]
    return Reason.OUT_OF_STOCK if sold_out and all(sold_out) else None


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """The purchase it went by is taken back, or there was another one, or an order, before it was due."""
    for kind in ("sku", "category"):
        if not sent.anchor.startswith(f"{kind}:"):
            continue
        key, _, at = sent.anchor.removeprefix(f"{kind}:").rpartition("@")
        bought, went_by = _shelf(user, kind).get(key), int(at)
        if any(_is_in(order, kind, key, went_by, sent.due) for order in _open_orders(user)):
            return True
        if bought is None:
            return True
        known = went_by in bought.times or (bought.earlier > 0 and went_by < bought.times[0])
        return not known or any(went_by < other <= sent.due for other in bought.times)
    return False


def _waiting(user: User, params: Params, fold: FoldParams) -> Iterator[Waiting]:
    being_bought = _open_orders(user)
    for thing in things(user.own_purchases, params, fold.predict.cycles):
        last_at = thing.bought.last_at
        cycle = cycle_of(thing, params, fold.days) if thing.bought.told < last_at else None
        if cycle is None or any(_is_in(order, thing.kind, thing.key, last_at) for order in being_bought):
            continue
        ahead = cycle - params.lead
        yield Waiting(last_at + (ahead if ahead >= DAY else cycle // 2), thing, cycle)


def _first(waiting: Waiting) -> tuple[int, str, str]:
    return waiting.due, waiting.thing.kind, waiting.thing.key


def _anchor(kind: str, key: str, at: int) -> str:
    """The last purchase; its time rather than its event, which is forgotten before the purchase is."""
    return f"{kind}:{key}@{at}"


def _shelf(user: User, kind: str) -> dict[str, Bought]:
    purchases = user.purchases
    return purchases.skus if kind == "sku" else purchases.categories


def _open_orders(user: User) -> list[Order]:
    """Placed and neither counted nor cancelled."""
    if user.own_orders is None:
        return []
    return [
        order
        for order in user.own_orders.by_id.values()
        if order.placed_at is not None and order.counted_at is None and order.cancelled_at is None
    ]


def _is_in(order: Order, kind: str, key: str, since: int, until: int | None = None) -> bool:
    """Was this ordered after `since`?"""
    placed_at = order.placed_at or 0
    if placed_at < since or (until is not None and placed_at > until):
        return False
    held = order.held()
    return key in held if kind == "sku" else key in held.values()


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user = asked.user
    waiting = [*_waiting(user, params, asked.fold)]
    if not waiting:
        bought = 0 if user.own_purchases is None else len(user.own_purchases.skus)
        known = f"{counted(bought, 'SKU')} bought, a cycle is known after {params.min_purchases} purchases"
        return [so(False, f"something runs out that was not told or ordered since: {known}")]
    due, thing, cycle = min(waiting, key=_first)
    last_at = thing.bought.last_at
    lasts = f"{in_words(max(1, round(cycle / DAY)) * DAY)}, to {when(last_at + cycle)}"
    return [
        so(True, f"{thing.kind} {thing.key} was bought {when(last_at)} and lasts about {lasts}"),
        time_is(asked, due, "it is nearly used up"),
    ]


RULE = Rule(
    name=NAME,
    version=1,
    question="Who will soon have used up what she bought, and might buy it again?",
    params=Params,
    on=(events.OrderPlaced, events.OrderPaid, events.OrderCancelled, events.RefundIssued),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    refuted_by=(events.OrderPlaced, events.OrderPaid, events.OrderCancelled, events.RefundIssued),
    refuted=refuted,
    fields={
        "kind": "what is used up: `sku` or `category`",
        "item": "that SKU or category; of a category `skus` are those bought last",
        "cycle_days": "expected days from purchase to purchase",
        "purchase_days": "on how many days she bought it",
        "last_bought_at": "RFC 3339",
        "expected_at": "RFC 3339, when she is expected to buy it again",
    },
)
