"""Who looked at the same thing again and again and then went away?

A SKU, or a category, was viewed `min_views` times or more, and `delay` after the last view it is neither in the cart
nor bought. Views count until it goes into the cart, is bought, or this rule has spoken of it; no pause between them
starts the count again, as whoever comes back the next day means it. A category is told of its own pages (views of
products tell of the SKU), and ended by any add or order of that category. What still lies in the cart from before is
not spoken of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from msgspec import Meta

from state import events
from state.browsing import end_looking
from state.calendar import Duration, in_words
from state.contact import Sent
from state.folding import FoldParams
from state.interest import bought_at
from state.user import User
from state.viewed import Looks
from triggers.stock_alerts import INTEREST_EVENTS
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import listed, nearest, so, time_is, when

NAME = "browse_abandoned"
SKU, CATEGORY = "sku", "category"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`delay` after the last of at least `min_views` views."""

    delay: Duration
    min_views: Annotated[int, Meta(ge=1)]


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user = asked.user
    for due, kind, name in sorted(
        (look.at + params.delay, kind, name) for kind, name, look in _open(user, params)
    ):
        if not asked.passed(due):
            break
        look = _look(user, kind, name)
        views = 0 if look is None else look.fresh
        _end(user, kind, name, due)
        if not _in_cart(user, kind, name):
            return Candidate(
                rule=NAME,
                version=RULE.version,
                user_id=user.user_id,
                step=1,
                anchor=f"{kind}:{name}@{due - params.delay}",
                at=due,
                reason=f"{kind} viewed {views} times, the last {in_words(params.delay)} ago",
                skus=(name,) if kind == SKU else (),
                fields={"kind": kind, "views": views} | ({"category": name} if kind == CATEGORY else {}),
                offer=params.offer,
            )
    return None


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    last = min((look.at for _, _, look in _open(user, params)), default=None)
    return None if last is None else last + params.delay


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    user, viewed_at = asked.user, candidate.at - params.delay
    kind = candidate.fields["kind"]
    name = candidate.skus[0] if kind == SKU else candidate.fields["category"]
    look = _look(user, kind, name)
    ended = look is not None and look.since > candidate.at  # carted or bought since it was due
    if ended or _in_cart(user, kind, name):
        return Reason.STALE
    if kind == SKU:
        if bought_at(user, name) >= viewed_at:
            return Reason.STALE
        item = asked.facts(name)
        if item is not None and item.available == 0:
            return Reason.OUT_OF_STOCK
    return None


def concerns_with(params: Params) -> Callable[[User, Any], bool]:
    """A view is no news to a timer that is set already: the timer looks when the last view was."""
    least = params.min_views

    def concerns(user: User, event: Any) -> bool:
        look: Looks | None
        if event.__class__ is events.ProductViewed:
            look = user.activity.viewed.get(event.sku)
        else:
            look = None if user.own_browsing is None else user.own_browsing.categories.get(event.category)
        if look is None:
            return least <= 1
        # Asked before the event is folded, it counts already: what is due must come before it.
        if look.fresh + (event.ts > look.at) < least:
            return False
        wakes = user.own_wakes
        return wakes is None or NAME not in wakes or event.ts < (user.last_seen_at or 0)

    return concerns


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """It was bought, or went into the cart, after the last view; or had gone there before and is there still."""
    kind, _, rest = sent.anchor.partition(":")
    name = rest.rpartition("@")[0]
    if event.ts < sent.due - params.delay and (
        isinstance(event, events.OrderPlaced) or not _in_cart(user, kind, name)
    ):
        return False
    lines = event.lines if isinstance(event, events.OrderPlaced) else (event,)
    return any(name == (line.sku if kind == SKU else line.category) for line in lines)


def _open(user: User, params: Params) -> Iterator[tuple[str, str, Looks]]:
    """What was viewed often enough and has not been spoken of."""
    least = params.min_views
    for sku, viewed in user.activity.viewed.items():
        if viewed.fresh >= least:
            yield SKU, sku, viewed
    if user.own_browsing is not None:
        for category, looked in user.own_browsing.categories.items():
            if looked.fresh >= least:
                yield CATEGORY, category, looked


def _look(user: User, kind: str, name: str) -> Looks | None:
    if kind == SKU:
        return user.activity.viewed.get(name)
    return None if user.own_browsing is None else user.own_browsing.categories.get(name)


def _end(user: User, kind: str, name: str, ts: int) -> None:
    """It is spoken of."""
    if kind == SKU:
        user.activity.viewed.end(name, ts)
    elif user.own_browsing is not None:
        end_looking(user.own_browsing.categories.get(name), ts)


def _in_cart(user: User, kind: str, name: str) -> bool:
    if user.own_cart is None:
        return False
    lines = user.own_cart.lines
    return name in lines if kind == SKU else any(line.category == name for line in lines.values())


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user = asked.user
    groups = [
        [
            so(
                True,
                f"{kind} {name} was viewed {params.min_views} times or more: {look.fresh}, last {when(look.at)}",
            ),
            so(not _in_cart(user, kind, name), "it is not in the cart"),
            time_is(asked, look.at + params.delay, f"it is not looked at for {in_words(params.delay)}"),
        ]
        for kind, name, look in _open(user, params)
    ]
    most = sorted(user.activity.viewed.items(), key=lambda each: (-each[1].fresh, each[0]))
    views = listed([f"{sku} {viewed.fresh}" for sku, viewed in most if viewed.fresh]) or "none"
    missing = f"one thing is viewed {params.min_views} times since it was last carted, bought or told of"
    return nearest(groups, f"{missing}: {views}")


RULE = Rule(
    name=NAME,
    version=1,
    question="Who looked at the same thing again and again and then went away?",
    params=Params,
    on=(events.ProductViewed, events.CategoryViewed),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    concerns_with=concerns_with,
    swayed_by=INTEREST_EVENTS,
    refuted_by=(events.CartItemAdded, events.OrderPlaced),
    refuted=refuted,
    fields={
        "kind": "`sku` or `category`",
        "views": "how often it was viewed",
        "category": "the category, if it is one",
    },
)
