"""Is every change of stage told at its time, as looking at every moment when one may happen shows?

Events are read as they happen, some twice: what an event that comes out of order means for a stage that was told
already, golden cases say."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import DAY, HOUR, MINUTE
from tests.oracles.customers import LINES, payments
from tests.oracles.kit import Arrival
from tests.triggers.golden import plan_of
from tests.triggers.shop import FOREVER, Shop

ASLEEP = ("declining", "dormant", "churned")
MONTH, QUARTER = 30 * DAY, 90 * DAY  # the thresholds of tests/triggers/shop.py


def histories(chance: Random) -> list[Any]:
    ts = 1_780_000_000_000
    history: list[Any] = []
    for number in range(chance.randint(0, 40)):
        ts += chance.choice((1, MINUTE, HOUR, DAY, 10 * DAY, MONTH - 1, MONTH, QUARTER - 1))
        if history and chance.random() < 0.2:
            ts = max(ts, chance.choice(history[-4:]).ts + QUARTER)
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": ts, "user_id": "u1"}
        order_id, kind = f"o{chance.randrange(8)}", chance.randrange(12)
        if kind < 4:
            history.append(events.OrderPlaced(order_id=order_id, lines=LINES, total=1, **about))
        elif kind < 8:
            history.append(events.OrderPaid(order_id=order_id, **about))
        elif kind == 8:
            history.append(events.OrderCancelled(order_id=order_id, **about))
        elif kind == 9:
            history.append(events.Registered(**about))
        else:
            history.append(events.ProductViewed(sku="k1", **about))
    return history


class Life:
    """What is known by now, and the stage that was told last."""

    def __init__(self) -> None:
        self.known: list[Any] = []
        self.stage: str | None = None
        self.visit_days: set[int] = set()  # since the stage was told
        self.ordered = False  # since then
        self.returned_at = -FOREVER
        self.told: list[tuple[str, int, str | None, str | None]] = []

    def read(self, event: Any) -> None:
        before = payments(self.known)
        self.known.append(event)
        if isinstance(event, events.ProductViewed | events.OrderPlaced):
            self.visit_days.add(event.ts // DAY)
        new = [payment for payment in payments(self.known) if payment not in before]
        if new and not isinstance(event, events.OrderCancelled):
            self.ordered = True
            if before and new[0].ts - before[-1].ts >= QUARTER:
                self.returned_at = new[0].ts
        is_visit = isinstance(event, events.ProductViewed)
        if not is_visit or self.stage in ASLEEP or (self.stage is None and payments(self.known)):
            self.look(event.ts, event.event_id)

    def look(self, now: int, anchor: str | None) -> None:
        stage = self.stage_at(now)
        if stage != self.stage:
            self.told.append((anchor or f"{stage}@{now}", now, self.stage, stage))
            self.stage, self.visit_days, self.ordered = stage, set(), False

    def stage_at(self, now: int) -> str | None:
        paid = [payment.ts for payment in payments(self.known)]
        if not paid:
            return "prospect" if any(isinstance(e, events.Registered) for e in self.known) else None
        visits = [e.ts for e in self.known if isinstance(e, events.ProductViewed | events.OrderPlaced)]
        quiet, unbought = now - max(*visits, paid[-1]), now - paid[-1]
        recovered = self.ordered or len(self.visit_days) >= 2
        if quiet >= QUARTER:
            return "churned"
        if unbought >= QUARTER:
            return "dormant"
        if quiet >= MONTH or (self.stage == "declining" and not recovered):
            return "declining"
        if now - self.returned_at < MONTH:
            return "returned"
        if now - paid[0] < MONTH:
            return "new"
        if unbought >= MONTH or len(paid) < 2:
            return "maturing"
        return "mature" if len(paid) >= 5 else "active"


def expected(history: list[Any]) -> list[tuple[str, int, str | None, str | None]]:
    """Looked at after every event, and whenever a month or a quarter after any of them is over."""
    life = Life()
    moments = {event.ts + span for event in history for span in (MONTH, QUARTER)}
    steps = sorted([*((e.ts, 0, n) for n, e in enumerate(history)), *((ts, 1, -1) for ts in moments)])
    for ts, is_moment, number in steps:
        if is_moment:
            life.look(ts, None)
        else:
            life.read(history[number])
    return life.told


@given(st.integers(0, 2**32))
def test_every_change_of_stage_is_told_at_its_time(seed: int) -> None:
    chance = Random(seed)
    history = histories(chance)
    again = [Arrival(e.ts + chance.randint(0, 2 * MONTH), e) for e in history if chance.random() < 0.1]
    shop = Shop(plan_of({"stage_changed": {}}, None), lateness=QUARTER)
    for arrival in sorted([*(Arrival(e.ts, e) for e in history), *again], key=lambda each: each.at):
        shop.take(arrival.event, arrival.at)
    shop.advance(FOREVER)
    told = [
        (d.candidate.anchor, d.candidate.at, d.candidate.fields["from"], d.candidate.fields["to"])
        for d in shop.decisions
    ]
    assert told == expected(history)
