"""For whom is a stage of the campaign meant, by what they marked and bought?

While the warmup lasts, whoever has something of the campaign among the favourites or in the cart is reminded of it
(step 1), once. While the encore lasts (step 3), whoever has, and bought nothing of the campaign since it began, gets a
coupon; whoever bought gets a gift: one of the two, once. An order not paid for is not bought yet, and keeps the coupon
back. Of the burst (step 2) nothing is sent. A stage is its campaign, its name and its start: said again with the
same start it is the same stage. An `audience` names a stage of the customer's life, or `all`; any other reaches nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from msgspec import Struct

from state import events
from state.audience import INTERESTED
from state.calendar import Duration, iso
from state.contact import Sent
from state.folding import FoldParams
from state.lifecycle import Stage, stage_of
from state.orders import Order
from state.scenes import HeardStage
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Facts, Reason, Rule, RuleParams
from triggers.why import counted, nearest, so, when

NAME = "campaign_stage"
STEPS = {"warmup": 1, "encore": 3}
SKUS_TOLD = 10
_EVERYBODY = (None, "all")
_REMINDER, _COUPON, _GIFT = "reminder", "coupon", "gift"
_REASONS = {
    _REMINDER: "marked something of a campaign that warms up",
    _COUPON: "marked something of the campaign and did not buy",
    _GIFT: "bought in the campaign",
}


class Campaign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What belongs to it: these SKUs, and every SKU of these categories."""

    skus: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`campaigns` by name; to one that is not there every SKU belongs.

    `bought_within`: purchases so long before the encore count where the user has heard of no earlier stage.
    """

    campaigns: dict[str, Campaign]
    bought_within: Duration
    coupon_offer: str | None
    gift_offer: str | None


class _Word(Struct, frozen=True, gc=False):
    """What is to be said, and of which SKUs."""

    kind: str
    skus: tuple[str, ...]


def audience(call: events.CampaignStage, params: Params) -> str | None:
    is_over = call.ends_at <= max(call.ts, call.starts_at)
    is_known = call.audience in _EVERYBODY or call.audience in get_args(Stage)
    return INTERESTED if call.stage in STEPS and is_known and not is_over else None


def concerns(user: User, event: object) -> bool:
    return isinstance(event, events.CampaignStage) or (
        user.own_scenes is not None and bool(user.own_scenes.stages)
    )


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, scenes = asked.user, asked.user.own_scenes
    if scenes is None:
        return None
    for stage in scenes.stages:
        if stage.told or stage.stage not in STEPS or not _has_begun(asked, stage):
            continue
        stage.begun = True
        word = _word(asked, stage, params)
        if word is None:
            continue
        stage.told = word.kind
        return Candidate(
            rule=NAME,
            version=RULE.version,
            user_id=user.user_id,
            step=STEPS[stage.stage],
            anchor=_anchor(stage),
            at=max(_due(stage), asked.now),
            reason=_REASONS[word.kind],
            skus=word.skus,
            fields={
                "campaign": stage.campaign,
                "stage": stage.stage,
                "kind": word.kind,
                "starts_at": iso(stage.starts_at),
                "ends_at": iso(stage.ends_at),
            },
            offer={_COUPON: params.coupon_offer, _GIFT: params.gift_offer}.get(word.kind, params.offer),
        )
    return None


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    """The start of a stage; what comes after that an event must bring about."""
    scenes = user.own_scenes
    if scenes is None:
        return None
    return min((_due(each) for each in scenes.stages if not each.begun and each.stage in STEPS), default=None)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    """Until the stage is over, and while the same is still to be said of one of the SKUs."""
    stage = _stage_of(asked.user, candidate.anchor)
    word = None if stage is None else _word(asked, stage, params)
    stands = word is not None and word.kind == candidate.fields["kind"] and {*word.skus} & {*candidate.skus}
    return None if stands else Reason.STALE


def refuted(user: User, event: events.OrderPlaced, sent: Sent, params: Params) -> bool:
    """A coupon for who had bought. Before that nothing was bought that is known, so the order's own lines decide."""
    stage = _stage_of(user, sent.anchor)
    if stage is None or stage.told != _COUPON or event.ts < _since(user, stage, params):
        return False
    chosen = params.campaigns.get(stage.campaign)
    return any(
        chosen is None or line.sku in chosen.skus or line.category in chosen.categories
        for line in event.lines
    )


def _word(asked: Asked, stage: HeardStage, params: Params) -> _Word | None:
    if asked.now >= stage.ends_at or not _is_meant(asked, stage):
        return None
    user, chosen = asked.user, params.campaigns.get(stage.campaign)
    if stage.stage == "encore":
        orders = [
            order
            for order in _orders_since(user, _since(user, stage, params))
            if _chosen_of(order.lines(), chosen, asked.facts)
        ]
        paid = [order for order in orders if order.counted_at is not None]
        if paid:
            bought = [sku for order in paid for sku in _chosen_of(order.lines(), chosen, asked.facts)]
            return _Word(_GIFT, _first(dict.fromkeys(bought)))
        if orders:
            return None
    skus = _chosen_of(_marked(user), chosen, asked.facts)
    kind = _COUPON if stage.stage == "encore" else _REMINDER
    return _Word(kind, _first(skus)) if skus else None


def _is_meant(asked: Asked, stage: HeardStage) -> bool:
    return stage.audience in _EVERYBODY or stage.audience == stage_of(
        asked.user, asked.now, asked.fold.lifecycle
    )


def _marked(user: User) -> dict[str, str | None]:
    """What is in the cart, then what is among the favourites, with the category where it is known."""
    cart, favourites = user.own_cart, user.own_favourites
    lines = {} if cart is None else {sku: line.category for sku, line in cart.lines.items()}
    marks: dict[str, str | None] = {} if favourites is None else dict.fromkeys(favourites.skus)
    return {**lines, **{sku: None for sku in marks if sku not in lines}}


def _chosen_of(skus: dict[str, str | None], chosen: Campaign | None, facts: Facts) -> list[str]:
    return [sku for sku, category in skus.items() if _belongs(sku, category, chosen, facts)]


def _belongs(sku: str, category: str | None, chosen: Campaign | None, facts: Facts) -> bool:
    if chosen is None or sku in chosen.skus:
        return True
    if not chosen.categories:
        return False
    if category is None:
        item = facts(sku)
        category = None if item is None else item.category
    return category in chosen.categories


def _orders_since(user: User, since: int) -> list[Order]:
    known = [] if user.own_orders is None else [*user.own_orders.by_id.values()]
    return [o for o in known if o.cancelled_at is None and o.placed_at is not None and o.placed_at >= since]


def _since(user: User, stage: HeardStage, params: Params) -> int:
    """When the campaign began."""
    began = user.scenes.began(stage.campaign, stage.starts_at)
    return stage.starts_at - params.bought_within if began is None else began


def _first(skus: Iterable[str]) -> tuple[str, ...]:
    return tuple(skus)[:SKUS_TOLD]


def _due(stage: HeardStage) -> int:
    return max(stage.at, stage.starts_at)


def _has_begun(asked: Asked, stage: HeardStage) -> bool:
    due = _due(stage)
    return stage.begun or due <= stage.at or asked.passed(due)


def _anchor(stage: HeardStage) -> str:
    return f"{stage.campaign}:{stage.stage}:{stage.starts_at}"


def _stage_of(user: User, anchor: str) -> HeardStage | None:
    known = () if user.own_scenes is None else user.own_scenes.stages
    return next((stage for stage in known if _anchor(stage) == anchor), None)


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, scenes = asked.user, asked.user.own_scenes
    groups = []
    for stage in [] if scenes is None else scenes.stages:
        if not stage.told and stage.stage in STEPS:
            lasts = f"from {when(stage.starts_at)} to {when(stage.ends_at)}"
            bought = ", or was bought in it" if stage.stage == "encore" else ""
            marked = f"{counted(len(_marked(user)), 'SKU')} in the cart or among the favourites"
            groups.append(
                [
                    so(True, f"{stage.stage} of {stage.campaign} is announced, {lasts}"),
                    so(_has_begun(asked, stage), "it has begun", _due(stage)),
                    so(asked.now < stage.ends_at, "it is not over"),
                    so(_is_meant(asked, stage), f"she is in its audience: {stage.audience or 'all'}"),
                    so(
                        _word(asked, stage, params) is not None,
                        f"something of it is marked{bought}: {marked}",
                    ),
                ]
            )
    return nearest(groups, "a stage of a campaign is announced that was not told: warmup or encore")


RULE = Rule(
    name=NAME,
    version=1,
    question="For whom is a stage of the campaign meant, by what they marked and bought?",
    params=Params,
    on=(
        events.CampaignStage,
        events.Favorited,
        events.CartItemAdded,
        events.OrderPlaced,
        events.OrderPaid,
        events.OrderCancelled,
    ),
    audience=audience,
    concerns=concerns,
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    catches_up=True,
    swayed_by=(*get_args(events.Clickstream), events.Registered),
    refuted_by=(events.OrderPlaced,),
    refuted=refuted,
    fields={
        "campaign": "as in the event",
        "stage": "`warmup` or `encore`",
        "kind": "`reminder`, `coupon` for who did not buy, `gift` for who did",
        "starts_at": "RFC 3339, when the stage begins",
        "ends_at": "RFC 3339, when the stage is over",
    },
)
