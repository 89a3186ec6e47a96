"""Who will soon have used up what she bought, and might buy it again?

The expected cycle of an item or category is the user's own mean gap between purchase days, shrunk towards the
configured cycle: (shrink * cycle + her gaps) / (shrink + their number). It is told `lead` before it is over, once for
each purchase. A category with a cycle speaks for its SKUs, whichever of them is bought; a SKU with a cycle of its own
speaks for itself. Without a cycle only what she has bought `min_purchases` times counts. An order not paid yet is an
answer too, as long as it is not cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from state import events
from state.calendar import DAY, Days, Duration, in_words, iso
from state.contact import Sent
from state.folding import FoldParams
from state.orders import Order
from state.purchases import Bought
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import counted, so, time_is, when

NAME = "replenishment"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`lead` before the expected date; `cycles` by SKU or category; `shrink`: how many gaps a cycle weighs.

    Where `lead` would be within a day of the purchase, it is told halfway through the cycle.
    """

    lead: Duration
    cycles: dict[str, Duration]
    shrink: Annotated[float, Meta(ge=0)]
    min_purchases: Annotated[int, Meta(ge=2)]


class Thing(NamedTuple):
    """A SKU or a category that is bought again and again; `cycle` as configured."""

    kind: str
    key: str
    bought: Bought
    cycle: Duration | None

    @property
    def anchor(self) -> str:
        """The last purchase; its time rather than its event, which is forgotten before the purchase is."""
        return _anchor(self.kind, self.key, self.bought.last_at)


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, days = asked.user, asked.fold.days
    waiting = [(due, thing) for due, thing in _waiting(user, params, days) if asked.passed(due)]
    if not waiting:
        return None
    due, thing = min(waiting, key=_first)
    thing.bought.told = thing.bought.last_at
    cycle = _cycle(thing, params, days) or 0
    skus = user.purchases.last_of(thing.key) if thing.kind == "category" else [thing.key]
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=thing.anchor,
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
    return min((due for due, _ in _waiting(user, params, fold.days)), default=None)


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


def _waiting(user: User, params: Params, days: Days) -> Iterator[tuple[int, Thing]]:
    """What will be used up, and when to say so."""
    being_bought = _open_orders(user)
    for thing in _things(user, params):
        last_at = thing.bought.last_at
        cycle = _cycle(thing, params, days) if thing.bought.told < last_at else None
        if cycle is None or any(_is_in(order, thing.kind, thing.key, last_at) for order in being_bought):
            continue
        ahead = cycle - params.lead
        yield last_at + (ahead if ahead >= DAY else cycle // 2), thing


def _first(waiting: tuple[int, Thing]) -> tuple[int, str, str]:
    due, thing = waiting
    return due, thing.kind, thing.key


def _things(user: User, params: Params) -> Iterator[Thing]:
    """Those that may have a cycle: most of what is bought is bought once, and must cost nothing here."""
    purchases, cycles = user.own_purchases, params.cycles
    if purchases is None:
        return
    for sku, bought in purchases.skus.items():
        cycle = cycles.get(sku)
        often = len(bought.times) + bought.earlier >= params.min_purchases
        if cycle is not None or (often and bought.category not in cycles):
            yield Thing("sku", sku, bought, cycle)
    for category in cycles.keys() & purchases.categories.keys():
        skus = purchases.last_of(category)
        if not skus or any(sku not in cycles for sku in skus):
            yield Thing("category", category, purchases.categories[category], cycles[category])


def _cycle(thing: Thing, params: Params, days: Days) -> int | None:
    """The expected time between two purchases; None where nothing is known of it."""
    gaps, total = thing.bought.gaps(days)
    if thing.cycle is None:
        return round(total / gaps) if gaps >= max(1, params.min_purchases - 1) else None
    return (
        round((params.shrink * thing.cycle + total) / (params.shrink + gaps))
        if params.shrink + gaps
        else None
    )


def _anchor(kind: str, key: str, at: int) -> str:
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
    user, days = asked.user, asked.fold.days
    waiting = [*_waiting(user, params, days)]
    if not waiting:
        bought = 0 if user.own_purchases is None else len(user.own_purchases.skus)
        known = f"{counted(bought, 'SKU')} bought, a cycle is known after {params.min_purchases} purchases"
        return [so(False, f"something runs out that was not told or ordered since: {known}")]
    due, thing = min(waiting, key=_first)
    cycle, last_at = _cycle(thing, params, days) or 0, thing.bought.last_at
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
