"""What follows from the events of one user? Told anew from the documents, sharing no code with beckon.

What an event means is in docs/events.md and the rules' questions, what is kept in docs/state.md. It knows the rules
of the chaos workload and no others, and none of beckon's limits, which that workload stays below.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NAMESPACE = uuid.UUID("6f1d3f7e-52a4-5c0e-9d0a-7e2f6b8c4d21")
_DAY, _HOUR = 86_400_000, 3_600_000
_VIEW, _SESSION, _SEARCH = 1, 1 << 21, 1 << 42
_VISITS = {"order_placed"}  # and everything on the clickstream
Event = dict[str, Any]


@dataclass(frozen=True)
class Trigger:
    rule: str
    user: str
    step: int
    anchor: str
    at: int

    @property
    def id(self) -> str:
        parts = [self.rule, 1, self.user, self.step, self.anchor]
        return str(uuid.uuid5(NAMESPACE, json.dumps(parts, separators=(",", ":"), ensure_ascii=False)))


@dataclass
class Order:
    placed_at: int | None = None
    anchor: str | None = None
    total: int = 0
    paid_at: int | None = None
    cancelled_at: int | None = None
    counted_at: int | None = None
    reminded: bool = False
    skus: list[str] = field(default_factory=list)
    refunds: dict[int, int] = field(default_factory=dict)


@dataclass
class Line:
    quantity: int
    price: int
    added_at: int


class Person:
    """One user, told event by event in the order of time; `wake` does what is due in between."""

    def __init__(self, user: str, delays: Mapping[str, int]) -> None:
        self.user, self.delays = user, delays
        self.triggers: list[Trigger] = []
        self.seen: set[tuple[str, str]] = set()
        self.first_seen_at: int | None = None
        self.last_seen_at: int | None = None
        self.last_visit_at: int | None = None
        self.registered: tuple[int, str] | None = None
        self.erased_at: int | None = None
        self.by_day: dict[int, int] = defaultdict(int)
        self.by_hour: dict[int, int] = defaultdict(int)
        self.viewed: dict[str, tuple[int, int]] = {}
        self.favourites: set[str] = set()
        self.consent: dict[str, tuple[bool, int]] = {}
        self.lines: dict[str, Line] = {}
        self.cart: tuple[int, str] | None = None
        self.orders: dict[str, Order] = {}
        self.first_counted: tuple[int, str] | None = None
        self.due: list[tuple[int, str, int, str]] = []

    # time

    def wake(self, before: int) -> None:
        while self.due and min(self.due)[0] < before:
            at, rule, step, anchor = min(self.due)
            self.due.remove((at, rule, step, anchor))
            if self._stands(rule, anchor):
                self.triggers.append(Trigger(rule, self.user, step, anchor, at))

    def _stands(self, rule: str, anchor: str) -> bool:
        match rule:
            case "cart_abandoned":
                return bool(self.lines) and self.cart is not None and self.cart[1] == anchor
            case "payment_pending":
                order = next(o for o in self.orders.values() if o.anchor == anchor)
                order.reminded = order.paid_at is None and order.cancelled_at is None
                return order.reminded
            case "first_order_nudge":
                return not any(
                    o.placed_at is not None and o.cancelled_at is None for o in self.orders.values()
                )
            case "welcome_pack":
                return self._counted() == 1 and self.first_counted is not None and not self._second()
            case _:
                return True

    def _counted(self) -> int:
        return sum(o.counted_at is not None and o.cancelled_at is None for o in self.orders.values())

    def _second(self) -> bool:
        """An order placed since the first one counted."""
        first = self.first_counted[0] if self.first_counted else 0
        standing = (o for o in self.orders.values() if o.cancelled_at is None and o.counted_at is None)
        return any((o.placed_at or 0) > first for o in standing)

    def _later(self, at: int, delay: str, rule: str, step: int, anchor: str) -> None:
        self.due.append((at + self.delays[delay], rule, step, anchor))

    # events

    def tell(self, role: str, event: Event) -> None:
        kind, ts, mark = event["type"], event["ts"], (role, event["event_id"])
        if mark in self.seen or self.erased_at is not None:
            return
        self.seen.add(mark)
        if kind != "stock_edge":
            self.first_seen_at = ts if self.first_seen_at is None else min(ts, self.first_seen_at)
            self.last_seen_at = max(ts, self.last_seen_at or 0)
            if role == "clickstream" or kind in _VISITS:
                self.last_visit_at = max(ts, self.last_visit_at or 0)
        tell = getattr(self, f"_{kind}", None)
        if tell is not None:
            tell(event, ts)

    def _count(self, ts: int, what: int) -> None:
        self.by_day[ts // _DAY] += what
        self.by_hour[ts // _HOUR] += what

    def _session_started(self, event: Event, ts: int) -> None:
        self._count(ts, _SESSION)

    def _searched(self, event: Event, ts: int) -> None:
        self._count(ts, _SEARCH)

    def _product_viewed(self, event: Event, ts: int) -> None:
        self._count(ts, _VIEW)
        _, times = self.viewed.get(event["sku"], (0, 0))
        self.viewed[event["sku"]] = (ts, times + 1)

    def _favorited(self, event: Event, ts: int) -> None:
        self.favourites.add(event["sku"])

    def _consent_changed(self, event: Event, ts: int) -> None:
        self.consent[event["channel"]] = (event["granted"], ts)

    def _registered(self, event: Event, ts: int) -> None:
        if self.registered is None:
            self.registered = (ts, event["event_id"])
            self._later(ts, "first_order_nudge", "first_order_nudge", 1, event["event_id"])

    def _erase_requested(self, event: Event, ts: int) -> None:
        blank = Person(self.user, self.delays)
        blank.triggers, blank.erased_at = self.triggers, ts
        self.__dict__.update(blank.__dict__)

    # the cart

    def _changed(self, event: Event, ts: int) -> None:
        self.cart = (ts, event["event_id"])
        self.due = [due for due in self.due if due[1] != "cart_abandoned"]
        if self.lines:
            for step in (1, 2):
                self._later(ts, f"cart_abandoned_{step}", "cart_abandoned", step, event["event_id"])

    def _cart_item_added(self, event: Event, ts: int) -> None:
        known = self.lines.get(event["sku"], Line(0, 0, 0))
        self.lines[event["sku"]] = Line(known.quantity + event["quantity"], event["price"], ts)
        self._changed(event, ts)

    def _cart_item_removed(self, event: Event, ts: int) -> None:
        line = self.lines.get(event["sku"])
        if line is None:
            return
        line.quantity -= event.get("quantity", line.quantity)
        if line.quantity <= 0:
            del self.lines[event["sku"]]
        self._changed(event, ts)

    def _cart_cleared(self, event: Event, ts: int) -> None:
        if self.lines:
            self.lines.clear()
            self._changed(event, ts)

    # orders

    def _order_placed(self, event: Event, ts: int) -> None:
        order = self.orders.setdefault(event["order_id"], Order())
        if order.placed_at is not None:
            return
        order.placed_at, order.anchor, order.total = ts, event["event_id"], event["total"]
        order.skus = [line["sku"] for line in event["lines"]]
        taken = [sku for sku in order.skus if self.lines.pop(sku, None)]
        if taken:
            self._changed(event, ts)
        self._later(ts, "payment_pending", "payment_pending", 1, event["event_id"])

    def _order_paid(self, event: Event, ts: int) -> None:
        order = self.orders.setdefault(event["order_id"], Order())
        if order.paid_at is not None or order.placed_at is None:
            return
        order.paid_at = ts
        if order.cancelled_at is not None:
            return
        order.counted_at = ts
        if self.first_counted is None:
            self.first_counted = (ts, event["event_id"])
            if self._stands("welcome_pack", event["event_id"]):
                self.triggers.append(Trigger("welcome_pack", self.user, 1, event["event_id"], ts))
                self._later(ts, "welcome_pack", "welcome_pack", 2, event["event_id"])

    def _order_cancelled(self, event: Event, ts: int) -> None:
        self.orders.setdefault(event["order_id"], Order()).cancelled_at = ts

    def _refund_issued(self, event: Event, ts: int) -> None:
        refunds = self.orders[event["order_id"]].refunds
        refunds[ts // _DAY] = refunds.get(ts // _DAY, 0) + event["amount"]

    # stock

    def _stock_edge(self, event: Event, ts: int) -> None:
        sku = event["sku"]
        interest = (
            "cart" if sku in self.lines
            else "favourite" if sku in self.favourites
            else "viewed" if sku in self.viewed
            else None
        )  # fmt: skip
        if interest is not None:
            self._later(ts, f"low_stock_{interest}", "low_stock", 1, f"{sku}:{event['event_id']}")
            if self.delays[f"low_stock_{interest}"] == 0:
                self.wake(ts + 1)
