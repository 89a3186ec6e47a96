"""How is a condition of a rule put in words? Shared by the rules' `conditions` and triggers/explain.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from state.calendar import DAY, HOUR, MINUTE, SECOND, in_words, iso
from state.orders import Order
from state.user import User
from triggers.trigger import Asked, Condition

NAMED = 3  # of many things so many are named
_NEVER = 1 << 62


def when(ts: int) -> str:
    """A moment in UTC, to the minute, to the second where it has some: `2026-11-26 10:03Z`."""
    text = iso(ts - ts % SECOND).replace("T", " ")
    return text.removesuffix(":00Z") + "Z" if text.endswith(":00Z") else text


def ago(ts: int, now: int) -> str:
    """`in 58 min`, `3 days ago`: as a person says it, in one unit."""
    span = abs(ts - now)
    unit, name = next(
        ((unit, name) for unit, name in ((DAY, "days"), (HOUR, "h"), (MINUTE, "min")) if span >= 2 * unit),
        (SECOND, "s"),
    )
    count = span // unit
    if count == 0:
        return "now"
    return f"in {count} {name}" if ts > now else f"{count} {name} ago"


def after(delay: int) -> str:
    return f"{in_words(delay)} after it" if delay > 0 else "at once"


def time_is(asked: Asked, due: int, text: str) -> Condition:
    """Something that only needs time: it is so once `due` is over."""
    return so(asked.passed(due), text, due)


def so(met: bool, text: str, at: int | None = None) -> Condition:
    """`at`, when it becomes so by time alone, is of what is not so yet."""
    return Condition(text, met, None if met else at)


def needs_event(asked: Asked, kinds: type | tuple[type, ...], text: str) -> Condition:
    """The rule speaks with an event or not at all."""
    return so(isinstance(asked.event, kinds), text)


def nearest(groups: Iterable[list[Condition]], otherwise: str) -> list[Condition]:
    """Of several things that a rule might speak of: one of which all is so, else the one it looks at next.

    `otherwise`: what is missing where there is nothing to speak of.
    """
    return min(groups, key=_distance, default=[so(False, otherwise)])


def speaks(conditions: Sequence[Condition]) -> bool:
    return all(condition.met for condition in conditions)


def listed(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def last_order(user: User) -> str:
    """The newest order and how it stands, for conditions that miss one."""
    orders = {} if user.own_orders is None else user.own_orders.by_id
    placed = [(order.placed_at, order_id, order) for order_id, order in orders.items() if order.placed_at]
    if not placed:
        return "no order is known"
    placed_at, order_id, order = max(placed, key=lambda each: each[:2])
    return f"the last order, {order_id}, was placed {when(placed_at)}{_fate(order)}"


def _fate(order: Order) -> str:
    if order.cancelled_at is not None:
        return f" and cancelled {when(order.cancelled_at)}"
    if order.delivered_at is not None:
        return f" and delivered {when(order.delivered_at)}"
    return " and not paid yet" if order.paid_at is None else f" and paid {when(order.paid_at)}"


def _distance(group: list[Condition]) -> tuple[bool, int, int]:
    missing = [condition for condition in group if not condition.met]
    return bool(missing), min((c.at for c in missing if c.at is not None), default=_NEVER), len(missing)
