"""Is a person with several ids one person, on whatever shards the ids are, whenever they are linked, whatever dies?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import accumulate, count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.murmur2 import partition
from state.user import User
from tests.flows.flow import DAY, HOUR, MINUTE, START, Flow, added, event, ordered, viewed
from tests.other_rules import others
from tests.state.test_identity_union import facts

SHARDS = 3


def id_on(shard: int, name: str) -> str:
    return next(each for each in (f"{name}{n}" for n in count()) if partition(each.encode(), SHARDS) == shard)


A, B, C = (id_on(shard, name) for shard, name in enumerate("abc"))
FAR = [A, B, C]  # each on a shard of its own
NEAR = [id_on(0, "x"), id_on(0, "y"), id_on(0, "z")]
KINDS = [
    "view",
    "session",
    "add",
    "remove",
    "clear",
    "order",
    "order",
    "pay",
    "cancel",
    "refund",
    "favorite",
    "register",
    "grant",
    "spend",
]
GAPS = [1, 1000, 20 * MINUTE, 90 * MINUTE, 25 * HOUR, 9 * DAY]


def linked(after: int, from_id: str, to_id: str, by: str | None = None) -> dict[str, Any]:
    """Said by the event of `by`, whichever id that is."""
    return event("identity_linked", after, by or to_id, from_id=from_id, to_id=to_id)


def paid(after: int, user: str, order_id: str) -> dict[str, Any]:
    return event("order_paid", after, user, order_id=order_id)


def living(flow: Flow) -> list[str]:
    return [user_id for user_id, user in flow.users().items() if user.alias_of is None]


def followed(flow: Flow, user_id: str) -> User:
    users = flow.users()
    while (further := users[user_id].alias_of) is not None:
        user_id = further
    return users[user_id]


def purse(user: User, until: int) -> list[int]:
    """The balance of points after each event, and as lots expire afterwards."""
    points = None if user.own_membership is None else user.own_membership.own_points
    moments = [*range(0, until * 32, max(until, DAY)), *(until * 32 + days * DAY for days in (1, 29, 31))]
    return [0 if points is None else points.balance(START + moment) for moment in moments]


def quiet(directory: Path, partitions: int = SHARDS) -> Flow:
    """Only the messages that a test is about."""
    return Flow(directory, *(f"rules.{rule}.enabled=false" for rule in others()), partitions=partitions)


@st.composite
def histories(draw: st.DrawFn, ids: list[str]) -> list[tuple[str, str, int]]:
    """(kind, id, time), some of them `link`: of each id to the next one, so that the last one lives, or a circle.

    Of a chain any link is made again, by an event of its own, later.
    """
    said = draw(
        st.lists(
            st.tuples(st.sampled_from(KINDS), st.sampled_from(ids), st.sampled_from(GAPS)),
            min_size=3,
            max_size=20,
        )
    )
    times = [*accumulate(gap for *_, gap in said)]
    history = [(kind, who, at) for (kind, who, _), at in zip(said, times, strict=True)]
    circle = draw(st.booleans())
    for who in ids if circle else ids[:-1]:
        at = draw(st.integers(0, len(history)))
        history.insert(at, ("link", who, history[at][2] if at < len(history) else times[-1] + 1))
    if not circle:
        for who in draw(st.lists(st.sampled_from(ids[:-1]), max_size=3)):
            first = next(place for place, (kind, by, _) in enumerate(history) if (kind, by) == ("link", who))
            at = draw(st.integers(first + 1, len(history)))
            history.insert(at, ("again", who, history[at - 1][2]))
    return history


def events_of(history: list[tuple[str, str, int]], ids: list[str], name: Callable[[str], str]) -> Any:
    """As the shop writes them, with `name` instead of an id; links are written by any of the three ids.

    Of a step that an order takes twice the first one read counts: so there is one of each.
    """
    unpaid: list[str] = []
    standing: list[str] = []
    for number, (kind, who, at) in enumerate(history):
        after, user, sku = at * 32 + number, name(who), f"k{number % 3}"
        match kind:
            case "link" | "again":
                to = ids[(ids.index(who) + 1) % len(ids)]
                yield linked(after, who, to, name(ids[number % len(ids)]))
            case "order":
                unpaid.append(f"o{number}")
                standing.append(f"o{number}")
                yield ordered(after, user, sku, order_id=f"o{number}", event_id=f"e{number}")
            case "pay":
                yield event(
                    "order_paid", after, user, f"e{number}", order_id=unpaid.pop() if unpaid else f"o{number}"
                )
            case "cancel":
                order = standing.pop(0) if standing else f"o{number}"
                yield event("order_cancelled", after, user, f"e{number}", order_id=order)
            case "refund":
                order = standing[0] if standing else f"o{number}"
                yield event("refund_issued", after, user, f"e{number}", order_id=order, amount=1)
            case "grant":
                lot = {"lot_id": f"l{number}", "points": 10, "expires_at": START + after + 30 * DAY}
                yield event("points_granted", after, user, f"e{number}", **lot)
            case "spend":
                yield event("points_spent", after, user, f"e{number}", points=7)
            case "add":
                yield added(after, user, sku, event_id=f"e{number}")
            case "view":
                yield event("product_viewed", after, user, f"e{number}", sku=sku)
            case "remove" | "favorite":
                name_of = {"remove": "cart_item_removed", "favorite": "favorited"}[kind]
                yield event(name_of, after, user, f"e{number}", sku=sku)
            case _:
                name_of = {"session": "session_started", "clear": "cart_cleared", "register": "registered"}[
                    kind
                ]
                yield event(name_of, after, user, f"e{number}")


thorough = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(st.data(), st.sampled_from([FAR, NEAR, [A, NEAR[0], B]]), st.sampled_from([1, SHARDS]))
def test_a_history_of_linked_ids_is_the_history_of_one(
    data: st.DataObject, ids: list[str], partitions: int
) -> None:
    history = data.draw(histories(ids))
    lives = data.draw(st.lists(st.integers(1, 30), max_size=4))
    with tempfile.TemporaryDirectory() as directory:
        # A reminder may overtake a payment that comes from a shard whose clock is behind: docs/architecture.md.
        without = "rules.payment_pending.enabled=false"
        flow = Flow(Path(directory) / "ids", "engine.batch_records=2", without, partitions=partitions)
        flow.write(*events_of(history, ids, lambda who: who))
        for steps in lives:
            flow.run_and_die(steps)
        flow.run()
        expected = min(ids) if sum(kind == "link" for kind, *_ in history) == len(ids) else ids[-1]
        assert living(flow) == [expected]
        one = Flow(Path(directory) / "one", without)
        one.write(*events_of(history, ids, lambda _: expected))
        one.run()
        united, single = flow.users()[expected], one.users()[expected]
        assert facts(united) == facts(single)
        assert purse(united, history[-1][2]) == purse(single, history[-1][2])
        triggers = [t["id"] for t in flow.triggers()]
        assert len(triggers) == len(set(triggers))
        letters = [
            (letter["to"], letter["origin"], letter["event_id"], str(letter["walk"]))
            for letter in flow.lines("letters")
        ]
        assert len(letters) == len(set(letters)), "a letter went out twice"


def test_who_lives_again_in_a_circle_is_not_told_again(tmp_path: Path) -> None:
    """Her shard was months ahead, and an event came while her own state was still on its way round."""
    ids = ["a0", "x0", "b3"]
    links = [("link", "x0", 1), ("link", "a0", 1), ("link", "b3", 1)]
    history = [*links, ("register", "a0", 1), ("register", "x0", 2), ("view", "a0", 777_600_002)]
    flow = Flow(tmp_path, "engine.batch_records=2", partitions=3)
    flow.write(*events_of(history, ids, lambda who: who))
    flow.run()
    assert living(flow) == ["a0"]
    said = [(t["data"]["rule"], t["data"]["anchor"]) for t in flow.triggers("calendar_scene")]
    assert len(said) == len(set(said)) == 2


@pytest.mark.parametrize("ids", [FAR, NEAR], ids=["far", "near"])
def test_an_event_sent_again_under_an_alias_counts_once(tmp_path: Path, ids: list[str]) -> None:
    """Whether it came before the link or after it; another topic's event of the same number counts."""
    a, b, _ = ids
    flow = quiet(tmp_path)
    before, after = viewed(1, a), viewed(9, a)
    placed = ordered(10, a, event_id=after["event_id"])
    flow.write(before, linked(5, a, b), before, after, after, placed, {**placed, "ts": START + 11})
    flow.run()
    flow.write(before, after, placed)
    flow.run()
    user = flow.users()[b]
    assert dict(user.activity.viewed.items())["k1"].times == 2
    assert [order.placed_at for order in user.orders.by_id.values()] == [START + 10]
    assert flow.users()[a].own_orders is None


def test_an_alias_knows_what_it_has_seen_when_its_user_has_forgotten(tmp_path: Path) -> None:
    """The last 64 events of each of its ids, not of both together."""
    flow = quiet(tmp_path)
    first = viewed(1, A)
    flow.write(first, *(viewed(10 + number, B, "k2") for number in range(70)), linked(100, A, B))
    flow.run()
    flow.write(first)
    flow.run()
    assert dict(flow.users()[B].activity.viewed.items())["k1"].times == 1


def test_a_letter_that_comes_twice_does_nothing_twice(tmp_path: Path) -> None:
    """As it may with delivery.guarantee at_least_once."""
    flow = quiet(tmp_path)
    flow.write(viewed(1, A), ordered(2, A, order_id="o1"), paid(3, A, "o1"), linked(5, A, B), viewed(2, C))
    flow.run()
    flow.write(viewed(9, A), linked(10, B, C))
    flow.run()
    before = facts(followed(flow, A))
    for part in range(SHARDS):
        letters = flow.path("letters", part)
        letters.write_bytes(letters.read_bytes() * 2)
    flow.run()
    assert living(flow) == [C]
    assert facts(followed(flow, A)) == before
    assert before["rfm"][0] == 1


@pytest.mark.parametrize("ids", [FAR, NEAR], ids=["far", "near"])
def test_a_link_made_again_does_not_turn_a_chain_round(tmp_path: Path, ids: list[str]) -> None:
    """Though it is another event, the smaller id does not come to live again."""
    last, first, middle = sorted(ids, reverse=True)
    flow = quiet(tmp_path)
    flow.write(linked(1, first, middle), linked(2, middle, last))
    flow.run()
    flow.write(linked(5, first, middle), linked(6, middle, last))
    flow.run()
    assert living(flow) == [last]


def test_an_event_of_an_alias_is_late_by_the_clock_of_its_own_shard_only(tmp_path: Path) -> None:
    flow = Flow(tmp_path, partitions=SHARDS)
    flow.write(linked(0, A, B), viewed(10 * DAY, B))
    flow.run()
    flow.write(ordered(1000, A, order_id="o1"))  # nine days behind B, the newest thing that A has heard of
    flow.run()
    assert [t["subject"] for t in flow.triggers("payment_pending")] == [B]
    flow.write(viewed(10 * DAY, A))
    flow.run()
    flow.write(ordered(2000, A, order_id="o2"))  # and this one is late
    flow.run()
    assert sorted(flow.users()[B].orders.by_id) == ["o1", "o2"]
    assert len(flow.triggers("payment_pending")) == 1


@pytest.mark.parametrize("ids", [FAR, NEAR], ids=["far", "near"])
def test_a_cart_goes_with_its_timer_and_is_spoken_of_once(tmp_path: Path, ids: list[str]) -> None:
    a, b, c = ids
    flow = Flow(tmp_path, "rules.cart_abandoned.second_delay=null", partitions=SHARDS)
    flow.write(added(0, a), linked(20 * MINUTE, a, b), linked(30 * MINUTE, b, c, by=a), viewed(3 * HOUR, b))
    flow.run()
    assert [(t["subject"], t["time"]) for t in flow.triggers("cart_abandoned")] == [
        (c, "2026-09-21T15:13:20Z")
    ]
    flow.write(linked(4 * HOUR, c, a), viewed(9 * HOUR, c))  # a circle: its smallest id lives
    flow.run()
    assert living(flow) == [min(ids)]
    assert len(flow.triggers("cart_abandoned")) == 1
