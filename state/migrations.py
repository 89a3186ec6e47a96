"""How does what an older release has stored become what this one reads? A step from each layout to the next.

A value is taken through the steps where it is read, and written in the present layout when it next changes: nobody
waits for an upgrade, and a user who never comes back is never rewritten. A step works on plain lists and maps, as
MessagePack has them, and looks at no Struct, for those go on changing after it.

The next layout (CONTRIBUTING.md says when): raise LAYOUT in user.py, append a step to STEPS here. One that only adds
fields at ends may do nothing, as what is not there is read as its default.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any

import msgspec

from state.ledger import NewerLayout

_KEPT_DAYS, _KEPT_HOURS = 32, 49
_LOOK = Struct("<qqqII")


def migrated(blob: bytes, layout: int) -> bytes | None:
    """A packed user of an older layout as one of `layout`; None if it is of that layout already, or no user at all."""
    try:
        user = msgspec.msgpack.decode(blob)
    except msgspec.DecodeError:
        return None
    found = user[0] if isinstance(user, list) and user else None
    if not isinstance(found, int) or found == layout or found < 1:
        return None
    if found > layout:
        raise NewerLayout("a user", found, layout)
    for step in STEPS[found - 1 :]:
        step(user)
    user[0] = layout
    return msgspec.msgpack.encode(user)


def _to_2(user: list[Any]) -> None:
    """Activity is flat (decisions 0024 and 0037), no stage is nil, and the first purchase day's net is kept."""
    if len(user) > 10:
        user[10] = _flat(*user[10])
    if len(user) > 11 and user[11] == [None, None, None, []]:
        user[11] = None
    if len(user) > 12 and user[12] is not None and len(user[12]) == 7:
        user[12].append(_first_net(*user[12]))


def _flat(
    by_day: dict[int, int],
    by_hour: dict[int, int],
    last_visit_at: int | None,
    visits_since_order: int,
    seen_on: dict[str, int],
    *rest: Any,
) -> list[Any]:
    """The newest day, hour and platform in fields of their own."""
    day, on_day, earlier_days = _newest_apart(by_day, _KEPT_DAYS)
    hour, in_hour, earlier_hours = _newest_apart(by_hour, _KEPT_HOURS)
    platform = max(seen_on, key=lambda name: (seen_on[name], name), default=None)
    platform_at = -1 if platform is None else seen_on.pop(platform)
    return [
        *(day, on_day, hour, in_hour, earlier_days, earlier_hours),
        *(last_visit_at, visits_since_order, platform, platform_at, seen_on or None),
        *(_in_one(part) if place == 0 else part for place, part in enumerate(rest)),
    ]


def _in_one(viewed: dict[str, list[Any]]) -> list[Any]:
    """SKUs, and in one value for each of them: when, since when, price, how often, how often since."""
    looks = [
        _LOOK.pack(at, since, -1 if price is None else price, times, fresh)
        for at, times, price, fresh, since in map(_whole, viewed.values())
    ]
    return [[*viewed], b"".join(looks)]


def _whole(look: list[Any]) -> list[Any]:
    """One that was written before views were counted since something has none."""
    return [*look, *(0, -1)[len(look) - 3 :]]


def _newest_apart(counts: dict[int, int], kept: int) -> tuple[int, int, list[int]]:
    """The newest slot, its counts, and slot, counts, ... of those not too old before it."""
    newest = max(counts, default=-1)
    earlier = sorted(each for each in counts.items() if newest - kept < each[0] < newest)
    return newest, counts.get(newest, 0), [number for each in earlier for number in each]


def _first_net(
    orders_by_day: dict[int, int], net_by_day: dict[int, int], orders: int, net: int, *rest: Any
) -> int:
    """Net of the first purchase day; of one that has left the buckets nobody knows more than the mean of all days."""
    if orders > 0 and sum(orders_by_day.values()) == orders:
        return net_by_day.get(min(orders_by_day), 0)
    purchase_days: int = rest[-1]
    return net // purchase_days if purchase_days > 0 else 0


STEPS: tuple[Callable[[list[Any]], None], ...] = (_to_2,)
"""In order: the first makes layout 2 of layout 1."""
