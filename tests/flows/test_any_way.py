"""Does the same history say the same, however it is read, wherever the process dies, however small the memory?

The measure is one undisturbed run with generous settings. Ids, verdicts and the state of every user must be
equal; what a decision was based on (`inputs`, the profile excerpt) may differ, as users may have been seen
again between a timer's due time and the moment at which the watermark passes it. Nobody is erased or takes
consent back here: both count from the moment they are read, whatever was due before.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.flows.flow import DAY, HOUR, MINUTE, Flow, added, event, ordered, viewed

USERS, SKUS = ["u1", "u2", "u3"], ["k1", "k2"]
GAPS = [1, 1000, 20 * MINUTE, 31 * MINUTE, 90 * MINUTE, 25 * HOUR, 9 * DAY, 31 * DAY]
KINDS = [
    "view", "add", "add", "remove", "clear", "order", "order", "pay", "cancel", "favorite", "register",
]  # fmt: skip
# For one shard only: it tells the others of items, and in a backlog they do not wait for each other.
WITH_ITEMS = [*KINDS, "stock", "stock", "price"]
SMALL = ("engine.batch_records=1", "engine.loaded_timers=1", "engine.queued_records=4")
POLICY = ("policy.enabled=true", "policy.quiet_hours.zone=UTC")


@st.composite
def histories(draw: st.DrawFn, kinds: Sequence[str] = KINDS) -> list[dict[str, Any]]:
    """Events of a few users in the order of time; an order is paid or cancelled later, if ever."""
    said = draw(
        st.lists(
            st.tuples(
                st.sampled_from(kinds), st.sampled_from(USERS), st.sampled_from(SKUS), st.sampled_from(GAPS)
            ),
            min_size=2,
            max_size=25,
        )
    )
    times = accumulate(gap for *_, gap in said)
    last_order: dict[str, str] = {}
    events = [event("consent_changed", 0, user, channel="app_push", granted=True) for user in USERS[:2]]
    for (kind, user, sku, _), at in zip(said, times, strict=True):
        if kind == "order":
            last_order[user] = f"o{at}"
        events.append(_event(kind, at, user, sku, last_order.get(user, "unknown")))
    return events


def _event(kind: str, at: int, user: str, sku: str, order: str) -> dict[str, Any]:
    match kind:
        case "view":
            return viewed(at, user, sku)
        case "add":
            return added(at, user, sku)
        case "remove":
            return event("cart_item_removed", at, user, sku=sku)
        case "clear":
            return event("cart_cleared", at, user)
        case "order":
            return ordered(at, user, sku, order_id=order)
        case "pay":
            return event("order_paid", at, user, order_id=order)
        case "cancel":
            return event("order_cancelled", at, user, order_id=order)
        case "stock":
            return event("stock_changed", at, None, sku=sku, available=at % 4)
        case "price":
            return event("price_changed", at, None, sku=sku, price=50 + at % 60)
        case "favorite":
            return event("favorited", at, user, sku=sku)
        case _:
            return event("registered", at, user)


def said_by(flow: Flow) -> tuple[Counter[str], Counter[tuple[str, str, str]]]:
    decisions = Counter((d["id"], d["verdict"], str(d["reason"])) for d in flow.lines("decisions"))
    return Counter(t["id"] for t in flow.triggers()), decisions


def shown_by(flow: Flow) -> list[tuple[str, Any]]:
    """What a trigger tells of stock."""
    return sorted((t["id"], str(t["data"].get("low_stock"))) for t in flow.triggers())


def measure(directory: Path, history: list[dict[str, Any]], *overrides: str) -> Flow:
    flow = Flow(directory / "measure", *overrides)
    flow.write(*history)
    flow.run()
    return flow


# Every example is a flow of its own over files: real work, a few milliseconds each.
thorough = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(histories(), st.booleans(), st.sampled_from([1, 3]))
def test_read_in_small_pieces_with_little_memory(
    history: list[dict[str, Any]], policed: bool, partitions: int
) -> None:
    policy = POLICY if policed else ()
    with tempfile.TemporaryDirectory() as directory:
        expected = measure(Path(directory), history, *policy)
        flow = Flow(Path(directory) / "small", *SMALL, *policy, partitions=partitions)
        flow.write(*history)
        flow.run()
        assert said_by(flow) == said_by(expected)
        assert flow.users() == expected.users()


@thorough
@given(
    histories(),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.sampled_from([(1, 1), (3, 1), (1, 3)]),
)
def test_killed_after_any_step(
    history: list[dict[str, Any]], lives: list[int], shape: tuple[int, int]
) -> None:
    batch, partitions = shape
    with tempfile.TemporaryDirectory() as directory:
        expected = measure(Path(directory), history)
        flow = Flow(Path(directory) / "killed", f"engine.batch_records={batch}", partitions=partitions)
        flow.write(*history)
        for steps in lives:
            flow.run_and_die(steps)
        flow.run()
        assert said_by(flow) == said_by(expected)
        assert flow.users() == expected.users()


@thorough
@given(
    histories(WITH_ITEMS),
    st.booleans(),
    st.integers(1, 4),
    st.integers(1, 4),
    st.lists(st.integers(1, 40), max_size=3),
)
def test_with_items_however_many_timers_a_round_takes_and_memory_holds(
    history: list[dict[str, Any]], policed: bool, batch: int, loaded: int, lives: list[int]
) -> None:
    """Whoever is due before an item changes finds it as it was, also where many are."""
    policy = POLICY if policed else ()
    small = f"engine.batch_records={batch}", f"engine.loaded_timers={loaded}"
    with tempfile.TemporaryDirectory() as directory:
        expected = measure(Path(directory), history, *policy)
        flow = Flow(Path(directory) / "small", *small, *policy)
        flow.write(*history)
        for steps in lives:
            flow.run_and_die(steps)
        flow.run()
        assert said_by(flow) == said_by(expected)
        assert shown_by(flow) == shown_by(expected)
        assert flow.users() == expected.users()


@thorough
@given(histories(), st.integers(0, 25))
def test_stopped_and_started_between_two_events(history: list[dict[str, Any]], at: int) -> None:
    """An orderly stop in the middle of history: time has come to its last event, and no further."""
    with tempfile.TemporaryDirectory() as directory:
        expected = measure(Path(directory), history)
        flow = Flow(Path(directory) / "stopped")
        for part in (history[:at], history[at:]):
            flow.write(*part)
            flow.run()
        assert said_by(flow) == said_by(expected)
        assert flow.users() == expected.users()
