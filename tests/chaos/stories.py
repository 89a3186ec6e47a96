"""What do the shoppers of a chaos run do? Stories of a few seconds each, drawn from a seed.

The rules' delays are seconds here, so that timers fire while faults happen. What is meant to prevent a message
comes at least `MARGIN` before it would be due, and what comes after it at least `MARGIN` later: which is due first
must never be a question of milliseconds. SKUs that fall have been looked at long before, and nobody touches them
after: so it does not matter in which order the shards hear of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

MARGIN = 1.0
DELAYS: dict[str, float] = {
    "cart_abandoned_1": 4.0,
    "cart_abandoned_2": 9.0,
    "payment_pending": 3.0,
    "first_order_nudge": 6.0,
    "welcome_pack": 7.0,
    "low_stock_cart": 0.0,
    "low_stock_favourite": 1.0,
    "low_stock_viewed": 2.0,
}
LONGEST = max(DELAYS.values())
COHORT_SECONDS, FALL_AFTER, WATCHERS = 3.0, 8.0, 10
TOO_LARGE = 300_000

Step = tuple[float, str, str, dict[str, Any] | bytes]
"""When (seconds), topic role, key, and the event, or the bytes of something that is none."""


def stories(seed: int, seconds: float, users_per_second: float) -> list[Step]:
    """All that happens in so many seconds, in the order of time."""
    rng = random.Random(seed)
    steps: list[Step] = []
    for number in range(int(seconds * users_per_second)):
        steps += _story(rng, f"u{number}", rng.uniform(0, seconds))
    cohorts = max(1, int((seconds - FALL_AFTER) / COHORT_SECONDS) + 1)
    for number in range(cohorts):
        steps += _cohort(rng, number, number * COHORT_SECONDS)
    steps += _poison(rng, seconds)
    return sorted(steps, key=lambda step: step[0])


def _story(rng: random.Random, user: str, begin: float) -> list[Step]:
    tell = rng.choice(
        (_browses, _leaves, _returns, _clears, _buys, _forgets_to_pay, _cancels, _joins, _is_erased)
    )
    steps: list[Step] = []
    for number, (at, role, what) in enumerate(tell(rng, user)):
        event = {"event_id": f"{user}-{number}", "user_id": user, **what}
        steps.append((begin + at, role, user, event))
        if rng.random() < 0.05:  # a producer that is not sure sends it again
            steps.append((begin + at + rng.uniform(0.05, 0.9), role, user, event))
    return steps


Telling = Iterator[tuple[float, str, dict[str, Any]]]
_CLICKS = "clickstream"


def _added(rng: random.Random, sku: str) -> dict[str, Any]:
    return {
        "type": "cart_item_added",
        "sku": sku,
        "quantity": rng.randint(1, 3),
        "price": rng.randint(1, 99) * 100,
    }


def _skus(rng: random.Random, count: int) -> list[str]:
    return [f"k{number}" for number in rng.sample(range(400), count)]


def _browses(rng: random.Random, user: str) -> Telling:
    yield 0.0, _CLICKS, {"type": "session_started", "platform": rng.choice(("app", "web"))}
    at = 0.0
    for sku in _skus(rng, rng.randint(1, 6)):
        at += rng.uniform(0.1, 1.0)
        yield at, _CLICKS, {"type": "product_viewed", "sku": sku, "price": 100, "category": f"c{sku[-1]}"}
    yield at + 0.3, _CLICKS, {"type": "searched", "query": "shoes"}
    yield at + 0.6, _CLICKS, {"type": "favorited", "sku": f"k{rng.randrange(400)}"}
    yield at + 0.9, "engagement", {"type": "message_opened", "trigger_id": "none", "channel": "sms"}


def _leaves(rng: random.Random, user: str) -> Telling:
    """Fills a cart and goes: both steps."""
    yield 0.0, _CLICKS, {"type": "session_started"}
    at = 0.0
    skus = _skus(rng, rng.randint(1, 4))
    for sku in skus:
        at += rng.uniform(0.1, 1.0)
        yield at, _CLICKS, _added(rng, sku)
    if len(skus) > 1:
        quantity = {"quantity": 1} if rng.random() < 0.5 else {}
        yield at + 0.5, _CLICKS, {"type": "cart_item_removed", "sku": skus[0], **quantity}


def _returns(rng: random.Random, user: str) -> Telling:
    """Between the two steps, for one thing more: a new episode."""
    first, second = _skus(rng, 2)
    yield 0.0, _CLICKS, _added(rng, first)
    first_due, second_due = DELAYS["cart_abandoned_1"], DELAYS["cart_abandoned_2"]
    yield rng.uniform(first_due + MARGIN, second_due - MARGIN), _CLICKS, _added(rng, second)


def _clears(rng: random.Random, user: str) -> Telling:
    yield 0.0, _CLICKS, _added(rng, _skus(rng, 1)[0])
    yield rng.uniform(0.1, DELAYS["cart_abandoned_1"] - MARGIN), _CLICKS, {"type": "cart_cleared"}


def _order(rng: random.Random, user: str, number: int, sku: str) -> dict[str, Any]:
    lines = [{"sku": sku, "quantity": 1, "price": 1000}]
    return {
        "type": "order_placed",
        "order_id": f"{user}-o{number}",
        "total": rng.randint(1, 99) * 100,
        "lines": lines,
    }


def _buys(rng: random.Random, user: str) -> Telling:
    """From a cart, pays in time; perhaps orders again before the reminder, perhaps sends something back."""
    sku, other = _skus(rng, 2)
    yield 0.0, _CLICKS, _added(rng, sku)
    at = rng.uniform(0.2, DELAYS["cart_abandoned_1"] - MARGIN)
    yield at, "orders", _order(rng, user, 1, sku)
    at += rng.uniform(0.1, DELAYS["payment_pending"] - MARGIN)
    yield at, "orders", {"type": "order_paid", "order_id": f"{user}-o1"}
    if rng.random() < 0.3:
        yield at + 0.5, "orders", {"type": "refund_issued", "order_id": f"{user}-o1", "amount": 50}
    if rng.random() < 0.4:
        again = at + rng.uniform(1.0, DELAYS["welcome_pack"] - MARGIN)
        yield again, "orders", _order(rng, user, 2, other)
        yield again + 0.7, "orders", {"type": "order_paid", "order_id": f"{user}-o2"}


def _forgets_to_pay(rng: random.Random, user: str) -> Telling:
    yield 0.0, "orders", _order(rng, user, 1, _skus(rng, 1)[0])
    if rng.random() < 0.5:
        late = DELAYS["payment_pending"] + rng.uniform(MARGIN, 3.0)
        yield late, "orders", {"type": "order_paid", "order_id": f"{user}-o1"}


def _cancels(rng: random.Random, user: str) -> Telling:
    yield 0.0, "orders", _order(rng, user, 1, _skus(rng, 1)[0])
    at = rng.uniform(0.2, DELAYS["payment_pending"] - MARGIN)
    if rng.random() < 0.5:
        yield at, "orders", {"type": "order_paid", "order_id": f"{user}-o1"}
        at += rng.uniform(0.2, DELAYS["welcome_pack"] - MARGIN)
    yield at, "orders", {"type": "order_cancelled", "order_id": f"{user}-o1"}


def _joins(rng: random.Random, user: str) -> Telling:
    """Registers; half of them order in time."""
    yield 0.0, "customers", {"type": "registered"}
    yield 0.2, "customers", {"type": "consent_changed", "channel": "sms", "granted": True}
    if rng.random() < 0.5:
        at = rng.uniform(0.5, DELAYS["first_order_nudge"] - MARGIN - 1.0)
        yield at, "orders", _order(rng, user, 1, _skus(rng, 1)[0])
        yield at + 0.5, "orders", {"type": "order_paid", "order_id": f"{user}-o1"}


def _is_erased(rng: random.Random, user: str) -> Telling:
    yield 0.0, _CLICKS, _added(rng, _skus(rng, 1)[0])
    yield 0.3, "customers", {"type": "registered"}
    yield 1.3, "customers", {"type": "erase_requested"}
    yield 2.5, _CLICKS, _added(rng, _skus(rng, 1)[0])


def _cohort(rng: random.Random, number: int, begin: float) -> Iterator[Step]:
    """One SKU that many look at and that then falls to its last pieces."""
    sku = f"hot{number}"
    stock = {"type": "stock_changed", "sku": sku}
    yield begin, "inventory", sku, {"event_id": f"{sku}-0", **stock, "available": 10}
    for watcher in range(WATCHERS):
        user = f"w{number}-{watcher}"
        seen = rng.choice(({"type": "product_viewed"}, {"type": "favorited"}, _added(rng, sku)))
        event = {"event_id": f"{user}-0", "user_id": user, **seen, "sku": sku}
        yield begin + rng.uniform(0.2, 3.0), _CLICKS, user, event
    yield (
        begin + 1.0,
        "inventory",
        sku,
        {"event_id": f"{sku}-1", "type": "price_changed", "sku": sku, "price": 900},
    )
    yield begin + FALL_AFTER, "inventory", sku, {"event_id": f"{sku}-2", **stock, "available": 2}
    alert = {"type": "weather_alert", "region": "north", "condition": "rain", "starts_at": 0, "ends_at": 1}
    yield begin + 2.0, "context", f"c{number}", {"event_id": f"c{number}", **alert}


def _poison(rng: random.Random, seconds: float) -> Iterator[Step]:
    """What is no event; a few a second."""
    whole = b'{"event_id":"p","type":"session_started","ts":1790000000000,"user_id":"p"}'
    bad = (
        b"{",
        b"\xff\xfe",
        whole[:-1],
        whole.replace(b"session_started", b"no_such_thing"),
        whole.replace(b',"user_id":"p"', b""),
        whole.replace(b"1790000000000", b"NaN"),
        whole.replace(b"1790000000000", b"7258118399999"),
        whole + b" " * TOO_LARGE,
    )
    for number in range(int(seconds)):
        yield (
            rng.uniform(0, seconds),
            rng.choice((_CLICKS, "orders", "customers")),
            f"p{number}",
            rng.choice(bad),
        )
