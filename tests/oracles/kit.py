"""How does an oracle's history reach the rules? Scattered in arrival, partly twice, and what was told is written down.

An oracle is a file test_<rule>.py beside this one: it draws random histories, computes from the whole history, by brute
force and without any code of the rule or of the state, who must be told what and when, and compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from state.calendar import MINUTE
from tests.triggers.golden import plan_of
from tests.triggers.shop import FOREVER, Shop
from triggers.trigger import Publish


class Arrival(NamedTuple):
    """An event and when it is read, epoch ms; `at` >= `event.ts`."""

    at: int
    event: Any


class Told(NamedTuple):
    """One published trigger; `due` as on the envelope, epoch ms."""

    user_id: str
    step: int
    anchor: str
    due: int
    skus: tuple[str, ...] = ()


def in_order(history: Sequence[Any]) -> list[Arrival]:
    """Every event is read as it happens."""
    return [Arrival(event.ts, event) for event in sorted(history, key=lambda event: event.ts)]


def scattered(chance: Random, history: Sequence[Any], *, most_late: int = 30 * MINUTE) -> list[Arrival]:
    """Most are read as they happen; some up to `most_late` after it, so out of order; some twice."""
    arrivals = []
    for event in history:
        late = chance.random() < 0.15
        arrivals.append(Arrival(event.ts + (chance.randint(1, most_late) if late else 0), event))
        if chance.random() < 0.1:
            arrivals.append(Arrival(event.ts + chance.randint(0, most_late), event))
    return sorted(arrivals, key=lambda arrival: arrival.at)


def told(
    rule: str,
    params: dict[str, Any],
    arrivals: Sequence[Arrival],
    *,
    lateness: int = 60 * MINUTE,
    until: int = FOREVER,
) -> list[Told]:
    """What the rule alone, with the gates open, says of these arrivals until all timers before `until` have fired."""
    shop = Shop(plan_of({rule: params}, None), lateness=lateness)
    for arrival in arrivals:
        shop.take(arrival.event, arrival.at)
    shop.advance(until)
    return [
        Told(d.candidate.user_id, d.candidate.step, d.candidate.anchor, d.candidate.at, d.candidate.skus)
        for d in shop.decisions
        if isinstance(d.outcome, Publish)
    ]
