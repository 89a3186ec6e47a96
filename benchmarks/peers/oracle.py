"""Which triggers are right? A plain program over the whole log, user by user, that shares no code with any engine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from benchmarks.peers.job import CART_DELAY_MS, LADDER, WINDOW_DAYS

Told = tuple[str, str, str]
"""Rule, user, and the event that opened the episode: the cart's last change, or the order."""

_DAY_MS = 86_400_000


def expected(log: Iterable[bytes]) -> set[Told]:
    """Of the JSON of every event, in any order."""
    of_user: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in log:
        event = msgspec.json.decode(record)
        if event["type"] not in ("product_viewed", "favorited"):
            of_user[event["user_id"]].append(event)
    found: set[Told] = set()
    for user, events in of_user.items():
        events.sort(key=lambda event: event["ts"])
        found |= {("cart_abandoned", user, anchor) for anchor in _abandoned(events)}
        found |= {("spend_milestone", user, anchor) for anchor in _milestones(events)}
    return found


def _abandoned(events: list[dict[str, Any]]) -> Iterable[str]:
    """Changes of a cart that left something in it and that no other followed within the delay, the end included."""
    changes: list[tuple[int, str, bool]] = []
    cart: set[str] = set()
    for event in events:
        before = set(cart)
        if event["type"] == "cart_item_added":
            cart.add(event["sku"])
        elif event["type"] == "cart_item_removed":
            cart.discard(event["sku"])
        elif event["type"] == "order_placed":
            cart -= {line["sku"] for line in event["lines"]}
        if event["type"] == "cart_item_added" or cart != before:
            changes.append((event["ts"], event["event_id"], bool(cart)))
    for place, (ts, event_id, filled) in enumerate(changes, start=1):
        next_at = changes[place][0] if place < len(changes) else None
        if filled and (next_at is None or next_at > ts + CART_DELAY_MS):
            yield event_id


def _milestones(events: list[dict[str, Any]]) -> Iterable[str]:
    orders = [event for event in events if event["type"] == "order_placed"]
    for place, order in enumerate(orders):
        first_day = order["ts"] // _DAY_MS - WINDOW_DAYS
        before = sum(o["total"] for o in orders[:place] if o["ts"] // _DAY_MS >= first_day)
        if any(before < rung <= before + order["total"] for rung in LADDER):
            yield order["event_id"]
