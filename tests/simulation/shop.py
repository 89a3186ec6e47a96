"""What happens in the shop of a schedule? A few minutes of events, and the settings under which the rules wait seconds.

The outcome must not hang on how reading interleaves, or a difference would prove nothing: whoever watches a SKU has
looked at it well before its stock falls, and nobody touches it afterwards.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec
from msgspec import Struct

from config.load import load
from config.settings import Settings
from connectors.murmur2 import partition
from tests.other_rules import FIRST, others
from tests.simulation.world import START_MS

PARTITIONS = 3
SECONDS = 90
USERS = tuple(f"u{number}" for number in range(5))
WITH_CALLS = 1_000  # shops from this seed on call out to many as well, to one user a round
WITH_POLICY = 2_000  # from this seed on they do not call, but ask the gates
_SETS = (
    "source.kind=kafka",
    "policy.enabled=false",
    "rules.cart_abandoned.delay=20s",
    "rules.cart_abandoned.second_delay=40s",
    "rules.payment_pending.delay=15s",
    "rules.first_order_nudge.delay=30s",
    "time.out_of_orderness=2s",
    "time.idle_after=2s",
    "engine.commit_interval=1ms",
    "engine.commit_age=1ms",
    "delivery.journal_every=20s",
    "engine.called_users=1",
    "rfm.by=quintiles",
    "rfm.quintiles.publish_every=5s",
    "rfm.quintiles.least_buyers=5",
    *(f"rules.{rule}.enabled=false" for rule in others(*FIRST, "weather_scene")),
)
_QUIET_MINUTE = datetime.fromtimestamp(START_MS / 1000, UTC)
# A letter and a timer of one user may come in either order, so what letters bring must take no place from others.
_POLICY = (
    "policy.enabled=true",
    "policy.consent.implied_channels=[in_app, service_task, app_push]",
    f"policy.quiet_hours.start={_QUIET_MINUTE:%H:%M}",
    f"policy.quiet_hours.end={_QUIET_MINUTE + timedelta(minutes=1):%H:%M}",
    "policy.quiet_hours.zone=UTC",
    "policy.frequency_cap.window=20s",
    "policy.arbitration.window=4s",
    "policy.offers.valid_for=15s",
    "policy.variants.rules.cart_abandoned={plain: 50, urgent: 50}",
    "policy.holdout.everything=10",
    "policy.holdout.rules.cart_abandoned=30",
    "rules.cart_abandoned.offer=reminder_coupon",
    "rules.first_order_nudge.need=cart",
    "rules.first_order_nudge.offer=nudge_coupon",
    "rules.low_stock.transactional=true",
    "rules.back_in_stock.transactional=true",
    "rules.low_stock.quiet_hours=ignore",
)


class Event(Struct, frozen=True):
    at_seconds: float
    topic: str
    partition: int
    key: bytes
    value: bytes


def settings(seed: int) -> Settings:
    return _settings(asks_the_gates=seed >= WITH_POLICY)


@cache
def _settings(*, asks_the_gates: bool) -> Settings:
    return load(None, {}, [*_SETS, *(_POLICY if asks_the_gates else ())])


@cache
def events(seed: int) -> tuple[Event, ...]:
    """By time. The same seed, the same shop."""
    rng = random.Random(seed)
    found: list[Event] = []

    def say(at: float, topic: str, kind: str, key: str, **fields: object) -> None:
        ts = START_MS + int(at * 1000)
        who = {} if topic == "context" else {"sku" if topic == "inventory" else "user_id": key}
        value = msgspec.json.encode({"event_id": f"e{len(found)}", "type": kind, "ts": ts, **who, **fields})
        found.append(Event(at, topic, partition(key.encode(), PARTITIONS), key.encode(), value))

    for user in USERS:
        say(rng.uniform(0, 10), "customers", "registered", user)
        for sku in rng.sample(("k1", "k2", "k3"), 2):
            say(rng.uniform(1, 25), "clickstream", "product_viewed", user, sku=sku)
        for number in range(rng.randrange(3)):
            cart = {"sku": f"own-{user}-{number}", "quantity": 1, "price": 100}
            say(rng.uniform(5, 60), "clickstream", "cart_item_added", user, **cart)
        for number in range(rng.randrange(3)):
            _order(rng, say, user, f"o-{user}-{number}")
    for sku in ("k1", "k2"):
        say(1 + rng.random(), "inventory", "stock_changed", sku, available=20)
        say(rng.uniform(50, 60), "inventory", "stock_changed", sku, available=3)
    bad = rng.uniform(5, 60)
    found.append(Event(bad, "clickstream", rng.randrange(PARTITIONS), b"u0", b"no event"))
    if WITH_CALLS <= seed < WITH_POLICY:
        _calls(rng, say)
    return tuple(sorted(found, key=lambda event: event.at_seconds))


def _order(rng: random.Random, say: object, user: str, order_id: str) -> None:
    assert callable(say)
    at = rng.uniform(5, 60)
    lines = [{"sku": f"bought-{order_id}", "quantity": 1, "price": 1000}]
    say(at, "orders", "order_placed", user, order_id=order_id, total=1000, currency="CNY", lines=lines)
    if rng.random() < 0.6:
        say(at + rng.choice((3, 25)), "orders", "order_paid", user, order_id=order_id)


def _calls(rng: random.Random, say: object) -> None:
    """All live where it will rain and have need of an umbrella, well before the alerts."""
    assert callable(say)
    for user in USERS:
        say(rng.uniform(0, 10), "customers", "profile_updated", user, region="north")
        for _ in range(2):
            say(rng.uniform(10, 40), "clickstream", "category_viewed", user, category="umbrella")
    for at in (70, 70.5, 74):
        until = {"starts_at": START_MS + 80_000, "ends_at": START_MS + 86_400_000}
        say(at, "context", "weather_alert", rng.choice("xyz"), region="north", condition="rain", **until)
