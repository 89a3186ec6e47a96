"""Who saw a thing at a price that it has now fallen well below?

The price fell to at least `min_drop` below the one at which this user knows the SKU: that of the line in the cart; else
the one in force when it was marked as a favourite; else that of the last view, which counts for `watched_for`. A mark
or a view that told no price goes by the item's own price then (by the first one known, if that came later). What
she has bought since is settled. Each fall is told once, at once; only after the price has risen above that limit
again may a user be told again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from msgspec import Meta, Struct

from state import events
from state.calendar import Duration
from state.contact import Sent
from state.interest import bought_at, interests
from state.prices import fell, in_force, rose
from state.user import User
from state.values import LAST_TS
from triggers.stock_alerts import INTEREST_EVENTS, WORDS
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import listed, needs_event, so

NAME = "price_drop"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`min_drop`: share of the price she knows, 0.1 is a tenth; a view counts for `watched_for`."""

    min_drop: Annotated[float, Meta(gt=0, lt=1)]
    watched_for: Duration


class Known(Struct, frozen=True, gc=False):
    """A price this user knows: why, since when, and how much if she was told; else the item's price then."""

    interest: str
    since: int
    price: int | None


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, edge = asked.user, asked.event
    if not isinstance(edge, events.PriceEdge):
        return None
    known = _fallen(user, edge, params)
    if known is None or known.price is None:
        return None
    user.browsing.tell(edge.ts, edge.sku)
    drop = (known.price - edge.price) / known.price
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=f"{edge.sku}:{edge.event_id}",
        at=edge.ts,
        reason=f"{drop:.0%} cheaper: an item {WORDS[known.interest]}",
        skus=(edge.sku,),
        fields={"interest": known.interest, "price": edge.price, "was": known.price, "drop": round(drop, 4)},
        offer=params.offer,
    )


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    user, sku = asked.user, candidate.skus[0]
    item = asked.facts(sku)
    if item is not None:
        if item.available == 0:
            return Reason.OUT_OF_STOCK
        # An older fact does not overrule the edge: its letter may be here before its shard has read so far again.
        price = (
            candidate.fields["price"] if item.price is None or item.price_at < candidate.at else item.price
        )
        if not fell(price, candidate.fields["was"], params.min_drop):
            return Reason.STALE
    bought = bought_at(user, sku)
    return Reason.STALE if bought >= candidate.at or _interest(user, sku, bought) is None else None


def concerns_with(params: Params) -> Callable[[User, Any], bool]:
    return lambda user, edge: _fallen(user, edge, params) is not None


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """She had bought it, and shown no interest since, when she was told."""
    if all(line.sku not in sent.skus for line in event.lines):
        return False
    return _interest(user, sent.skus[0], event.ts, (-1, sent.due)) is None


def _fallen(user: User, edge: events.PriceEdge, params: Params) -> Known | None:
    """The price this user knows, if the SKU now costs enough less and she has not been told of this fall."""
    # What came after the fall is no reason to tell of it: the letter may be here later than that.
    span = (edge.ts - params.watched_for, edge.ts)
    known = _interest(user, edge.sku, bought_at(user, edge.sku), span)
    if known is None:
        return None
    price = in_force(edge.prices, known.since) if known.price is None else known.price
    if price is None or not fell(edge.price, price, params.min_drop):
        return None
    told_at = None if user.own_browsing is None else user.own_browsing.told.get(edge.sku)
    if told_at is not None and not rose(edge.prices, told_at, price, params.min_drop):
        return None
    return Known(known.interest, known.since, price)


def _interest(user: User, sku: str, bought: int, span: tuple[int, int] = (-1, LAST_TS)) -> Known | None:
    """The strongest interest that no purchase has settled; it began before the end of `span`, a view within it."""
    for known in _interests(user, sku):
        earliest = span[0] if known.interest == "viewed" else -1
        if bought < known.since and earliest <= known.since <= span[1]:
            return known
    return None


def _now(asked: Asked, sku: str) -> str:
    """What she knows the price to be, and what it is."""
    item, known = asked.facts(sku), next(_interests(asked.user, sku), None)
    was = "unknown" if known is None or known.price is None else known.price
    return f"{sku} {was}, now {'unknown' if item is None or item.price is None else item.price}"


def _interests(user: User, sku: str) -> Iterator[Known]:
    line = None if user.own_cart is None else user.own_cart.lines.get(sku)
    if line is not None:
        yield Known("cart", line.added_at, line.price)
    favourites = user.own_favourites
    if favourites is not None and sku in favourites.skus:
        yield Known("favourite", favourites.skus[sku], favourites.prices.get(sku))
    viewed = user.activity.viewed.get(sku)
    if viewed is not None:
        yield Known("viewed", viewed.at, viewed.price)


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, edge = asked.user, asked.event
    if not isinstance(edge, events.PriceEdge):
        known = listed(
            [_now(asked, sku) for sku in sorted(interests(user), key=interests(user).__getitem__)[::-1]]
        )
        falls = f"a price she knows falls by {params.min_drop:.0%} or more: {known or 'she knows none'}"
        return [needs_event(asked, events.PriceEdge, falls)]
    far = f"that is {params.min_drop:.0%} or more below the price she knows, and this fall was not told"
    return [
        needs_event(asked, events.PriceEdge, f"a price falls: {edge.sku} to {edge.price}"),
        so(_fallen(user, edge, params) is not None, far),
    ]


RULE = Rule(
    name=NAME,
    version=1,
    question="Who saw a thing at a price that it has now fallen well below?",
    params=Params,
    on=(events.PriceEdge,),
    evaluate=evaluate,
    holds=holds,
    conditions=conditions,
    concerns_with=concerns_with,
    swayed_by=INTEREST_EVENTS,
    refuted_by=(events.OrderPlaced,),
    refuted=refuted,
    fields={
        "interest": "why the user cares, strongest first: `cart`, `favourite`, `viewed`",
        "price": "what it costs now, in minor units",
        "was": "the price the user knows",
        "drop": "how far it fell, as a share of that",
    },
)
