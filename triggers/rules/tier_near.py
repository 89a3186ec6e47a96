"""Who is a small purchase away from the next membership tier?

Told at the purchase that brings the user within `within` of the next tier's spend, if not more than `missing_orders`
orders are lacking too: spend that suffices already, with an order lacking, is near as well. Once an approach: another
one begins when the tier was reached, or when money given back or days that leave the year take the user out of the
margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from state import events
from state.contact import Sent
from state.folding import FoldParams
from state.membership import Near
from state.tiers import YEAR_DAYS, Sums, Tier, ahead, held_rank, rank_of
from state.user import User
from triggers.spending import SPENDING_EVENTS, cause_of, just_counted, worth
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import counted, last_order, so

NAME = "tier_near"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`within` this share of the next tier's spend, with at most `missing_orders` lacking."""

    within: Annotated[float, Meta(gt=0, lt=1)]
    missing_orders: Annotated[int, Meta(ge=0)]


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, fold = asked.user, asked.fold
    known, counted = user.own_membership, just_counted(asked)
    if counted is None and (known is None or known.near is None):
        return None  # nothing to tell, and nothing told that may be over
    near = _near(user, params, fold)
    again = near is not None and known is not None and known.near is not None and near.tier == known.near.tier
    if known is not None and not again and not isinstance(asked.event, events.OrderPlaced | events.OrderPaid):
        known.near = None  # not at a purchase: at the very moment at which a day leaves, that comes first
    if near is None or again or counted is None:
        return None
    _, order = counted
    near.anchor = cause_of(order, fold)
    user.membership.near = near
    orders = f" and {near.orders} order{'s' if near.orders > 1 else ''}" if near.orders else ""
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=near.anchor,
        at=order.counted_at or asked.now,
        reason=f"{near.amount} minor units{orders} short of tier {near.tier}",
        fields={"next_tier": near.tier, "missing_amount": near.amount, "missing_orders": near.orders},
        offer=params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    """When time takes the user out of the margin that was told."""
    told, rfm = None if user.own_membership is None else user.own_membership.near, user.own_rfm
    if told is None or rfm is None:
        return None
    terms, held = fold.membership, held_rank(user, fold.membership)
    for moment, year, kept in ahead(rfm, user.decided_at, terms, fold.days):
        near = _near_next(terms.rank_after(held, year, kept), year, terms.tiers, params)
        if near is None or near.tier != told.tier:
            return moment
    return None


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    near = _near(asked.user, params, asked.fold)
    return None if near is not None and near.tier == candidate.fields["next_tier"] else Reason.STALE


def refuted(user: User, event: events.OrderPlaced | events.OrderPaid, sent: Sent, params: Params) -> bool:
    """A purchase that came late had already brought the tier."""
    near = None if user.own_membership is None else user.own_membership.near
    order = user.orders.by_id.get(event.order_id)
    if near is None or near.anchor != sent.anchor or order is None or order.counted_at is None:
        return False
    return order.counted_at <= sent.due and worth(order) >= near.amount and near.orders <= 1


def _near(user: User, params: Params, fold: FoldParams) -> Near | None:
    rank, rfm = rank_of(user, fold.membership, fold.days), user.own_rfm
    if rank is None or rfm is None:
        return None
    year = rfm.window(user.decided_at, YEAR_DAYS, fold.days)
    return _near_next(rank, year, fold.membership.tiers, params)


def _near_next(rank: int, year: Sums, tiers: Sequence[Tier], params: Params) -> Near | None:
    if rank + 1 >= len(tiers):
        return None
    lacking, tier = _lacking(year, tiers[rank + 1]), tiers[rank + 1]
    is_near = lacking.amount <= round(params.within * tier.spend) and lacking.orders <= params.missing_orders
    return lacking if is_near else None


def _lacking(year: Sums, tier: Tier) -> Near:
    orders, net = year
    return Near(tier.name, "", max(0, tier.spend - net), max(0, tier.orders - orders))


def _distance(user: User, fold: FoldParams) -> str:
    rank, tiers, rfm = rank_of(user, fold.membership, fold.days), fold.membership.tiers, user.own_rfm
    if rank is None or rfm is None:
        return "she has not bought yet"
    if rank + 1 >= len(tiers):
        return f"she has the highest tier, {tiers[rank].name}"
    lacking = _lacking(rfm.window(user.decided_at, YEAR_DAYS, fold.days), tiers[rank + 1])
    return f"{lacking.amount} and {counted(lacking.orders, 'order')} to {lacking.tier}"


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, fold = asked.user, asked.fold
    near, told = _near(user, params, fold), None if user.own_membership is None else user.own_membership.near
    again = near is not None and told is not None and near.tier == told.tier
    margin = f"{params.within:.0%} of its spend and {counted(params.missing_orders, 'order')}"
    heard = "" if told is None else f": told {told.amount} short of {told.tier}"
    return [
        so(just_counted(asked) is not None, f"an order counts, just now: {last_order(user)}"),
        so(near is not None, f"to the next tier no more than {margin} are lacking: {_distance(user, fold)}"),
        so(not again, f"this approach has not been told yet{heard}", wake_at(user, params, fold)),
    ]


RULE = Rule(
    name=NAME,
    version=1,
    question="Who is a small purchase away from the next membership tier?",
    params=Params,
    on=SPENDING_EVENTS,
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    catches_up=True,
    refuted_by=(events.OrderPlaced, events.OrderPaid),
    refuted=refuted,
    fields={
        "next_tier": "the tier that is near",
        "missing_amount": "net spend lacking for it, in minor units; 0 if only orders are",
        "missing_orders": "orders lacking for it, 0 if only spend is",
    },
)
