"""Is everybody of an audience told once, on whatever shard, whatever dies, however few are told in a round?"""

from __future__ import annotations

from collections import Counter
from itertools import chain, count, pairwise
from pathlib import Path
from typing import Any

import pytest

from connectors import metrics
from connectors.murmur2 import partition
from flows.station import Station
from state.calls import unpack_call
from state.user import LAYOUT, User
from tests.flows.flow import DAY, HOUR, MINUTE, START, Flow, added, event
from tests.flows.test_letters import FAR, NEAR, SHARDS, linked
from tests.other_rules import others

USERS = [f"u{number}" for number in range(30)]
ONLY = tuple(f"rules.{rule}.enabled=false" for rule in others("weather_scene", "campaign_stage"))


def settles(after: int, user: str, region: str = "north") -> list[dict[str, Any]]:
    """Somebody of the region who has need of an umbrella."""
    looks = [event("category_viewed", after + n, user, category="umbrella") for n in (1, 2)]
    return [event("profile_updated", after, user, region=region), *looks]


def alert(after: int, name: str = "rain", region: str = "north", starts: int = HOUR) -> dict[str, Any]:
    return event(
        "weather_alert", after, None, name, region=region, condition="rain",
        starts_at=START + after + starts, ends_at=START + after + starts + DAY,
    )  # fmt: skip


def stage(after: int, name: str = "warmup", starts: int = HOUR, lasts: int = DAY) -> dict[str, Any]:
    return event(
        "campaign_stage", after, None, f"d11-{name}-{after}", campaign="d11", stage=name,
        starts_at=START + after + starts, ends_at=START + after + starts + lasts,
    )  # fmt: skip


def told(flow: Flow) -> Counter[tuple[str, str]]:
    return Counter((t["subject"], t["data"]["anchor"]) for t in flow.triggers())


def kept_calls(flow: Flow) -> dict[int, dict[str, Any]]:
    shards = range(flow.partitions)
    return {
        shard: {n: unpack_call(b) for n, b in flow.ledger.open(shard, "look").calls.items()}
        for shard in shards
    }


@pytest.mark.parametrize("starts", [HOUR, 3 * DAY], ids=["told at once", "told by timer"])
def test_all_of_a_region_are_told_once_whenever_the_process_is_killed(tmp_path: Path, starts: int) -> None:
    """At every step of the whole run, one after the other until it is through without a kill."""
    for dies_after in count(1):
        flow = Flow(tmp_path / str(dies_after), "engine.called_users=2", *ONLY, partitions=SHARDS)
        for user in USERS:
            flow.write(*settles(0, user))
        flow.write(*settles(10, "stranger", "south"), event("profile_updated", 11, "cold", region="north"))
        flow.write(alert(MINUTE, starts=starts), event("session_started", 4 * DAY, "u1"))
        died = flow.run_and_die(dies_after)
        flow.run()
        assert told(flow) == {(user, "rain"): 1 for user in USERS}, f"killed after step {dies_after}"
        if not died:
            break
    assert dies_after > 15


def test_a_large_region_is_never_in_memory_at_once_and_each_round_loads_a_few(tmp_path: Path) -> None:
    """Of 600 users in a process that may hold some; those whom it does not concern are not written either."""
    flow = Flow(tmp_path, "engine.called_users=20", *ONLY)
    many = [f"m{number}" for number in range(600)]
    for number, user in enumerate(many):
        flow.write(*(settles(0, user) if number % 2 else settles(0, user)[:2]))
    flow.run()
    before = flow.ledger.load_users([(0, user) for user in many[::2]])
    sizes: list[int] = []

    def look(station: Station, step: int) -> None:
        sizes.extend(len(shard.users) for shard in station.shards.values())

    flow.write(alert(MINUTE), event("session_started", 2 * MINUTE, "visitor"))
    flow.run(look)
    assert max(after - earlier for earlier, after in pairwise(sizes)) <= 11
    assert len(flow.triggers()) == 300
    assert flow.ledger.load_users([(0, user) for user in many[::2]]) == before


def test_who_has_an_event_meanwhile_is_told_before_it(tmp_path: Path) -> None:
    """The last of the walk moves away just after the alert: told, as everybody of that moment."""
    flow = Flow(tmp_path, "engine.called_users=1", *ONLY)
    for user in USERS:
        flow.write(*settles(0, user))
    flow.write(alert(MINUTE), event("profile_updated", MINUTE + 1, "u9", region="south"))
    flow.run()
    assert told(flow) == {(user, "rain"): 1 for user in USERS}


def test_who_has_joined_but_is_not_in_the_ledger_yet_is_told(tmp_path: Path) -> None:
    slow = ("engine.commit_interval=300ms", "engine.commit_age=300ms", "engine.batch_records=10")
    flow = Flow(tmp_path, "engine.called_users=2", *slow, *ONLY)
    flow.write(*(each for n, user in enumerate(USERS[:9]) for each in settles(10 * n, user)), alert(MINUTE))
    flow.run()
    assert told(flow) == {(user, "rain"): 1 for user in USERS[:9]}


@pytest.mark.parametrize("ids", [FAR, NEAR], ids=["far", "near"])
@pytest.mark.parametrize("linked_at", [MINUTE - 1, MINUTE + 1, 10 * HOUR])
@pytest.mark.parametrize("starts", [HOUR, 3 * DAY], ids=["told at once", "told by timer"])
def test_a_person_of_two_ids_is_told_once_of_what_is_still_to_come(
    tmp_path: Path, ids: list[str], linked_at: int, starts: int
) -> None:
    a, b, _ = ids
    flow = Flow(tmp_path, "engine.called_users=1", *ONLY, partitions=SHARDS)
    flow.write(*settles(0, a), *settles(0, b))
    both = (alert(MINUTE, starts=starts), linked(linked_at, a, b))
    for each in sorted(both, key=lambda each: each["ts"]):
        flow.write(
            each
        )  # shards do not wait for each other's time: what is meant to come first is read first
        flow.run()
    flow.write(*(event("session_started", 4 * DAY, user) for user in ids))
    flow.run()
    both_before = starts == HOUR and linked_at > MINUTE
    assert told(flow) == ({(a, "rain"): 1, (b, "rain"): 1} if both_before else {(b, "rain"): 1})
    lists = [flow.ledger.load_audience(shard, "region:north", "", 9) for shard in range(SHARDS)]
    assert [*chain(*lists)] == [b]


@pytest.mark.parametrize("ids", [FAR, NEAR], ids=["far", "near"])
def test_whose_other_id_brings_the_region_along_is_told_while_the_alert_lasts(
    tmp_path: Path, ids: list[str]
) -> None:
    a, b, _ = ids
    flow = Flow(tmp_path, *ONLY, partitions=SHARDS)
    flow.write(*settles(0, b, "south"), alert(MINUTE), *settles(2 * MINUTE, a, "south"))
    flow.write(event("profile_updated", 10 * MINUTE, a, region="east"), linked(11 * MINUTE, a, b))
    flow.run()
    flow.write(alert(HOUR, "late", "east"))
    flow.run()
    flow.write(*(event("session_started", 2 * HOUR, user) for user in ids))
    flow.run()
    assert told(flow) == {(b, "late"): 1}


def test_an_erased_user_is_on_no_list_and_hears_nothing(tmp_path: Path) -> None:
    flow = Flow(tmp_path, "engine.called_users=1", *ONLY)
    flow.write(*settles(0, "u1"), *settles(0, "u2"), added(5, "u1"), event("erase_requested", 10, "u1"))
    flow.run()
    assert flow.ledger.load_audience(0, "region:north", "", 9) == ["u2"]
    assert flow.ledger.load_audience(0, "interested", "", 9) == []
    flow.write(alert(MINUTE), *settles(2 * MINUTE, "u1"), event("erase_requested", MINUTE + 1, "u2"))
    flow.run()
    assert told(flow) in ({}, {("u2", "rain"): 1})
    assert flow.users()["u1"] == User(LAYOUT, "u1", erased_at=START + 10)
    assert flow.ledger.load_audience(0, "region:north", "", 9) == []


def test_who_comes_to_the_audience_on_any_shard_hears_of_what_is_not_over(tmp_path: Path) -> None:
    flow = Flow(tmp_path, *ONLY, partitions=SHARDS)
    flow.write(alert(MINUTE), stage(MINUTE), event("session_started", MINUTE + 1, "u0"))
    flow.run()
    for user in USERS:
        flow.write(*settles(HOUR, user, "south"), added(3 * HOUR, user))
        flow.write(event("profile_updated", 4 * HOUR, user, region="north"))
    flow.write(*settles(40 * HOUR, "too late", "south"), added(41 * HOUR, "too late"))
    flow.write(event("profile_updated", 42 * HOUR, "too late", region="north"))
    flow.run()
    anchors = {anchor for _, anchor in told(flow)}
    assert len(anchors) == 2
    assert told(flow) == {(user, anchor): 1 for user in USERS for anchor in anchors}


def test_who_is_interested_no_more_leaves_the_list_at_the_next_stage_and_may_come_again(
    tmp_path: Path,
) -> None:
    flow = Flow(tmp_path, *ONLY)
    flow.write(event("favorited", 0, "u1", sku="k1"), event("unfavorited", 1, "u1", sku="k1"), added(2, "u2"))
    flow.run()
    assert flow.ledger.load_audience(0, "interested", "", 9) == ["u1", "u2"]
    flow.write(stage(MINUTE))
    flow.run()
    assert flow.ledger.load_audience(0, "interested", "", 9) == ["u2"]
    flow.write(added(5 * HOUR, "u1"))
    flow.run()
    assert flow.ledger.load_audience(0, "interested", "", 9) == ["u1", "u2"]
    assert sorted(t["subject"] for t in flow.triggers()) == ["u1", "u2"]


def test_a_call_is_kept_until_it_is_over_and_no_longer(tmp_path: Path) -> None:
    flow = Flow(tmp_path, "engine.called_users=2", *ONLY, partitions=SHARDS)
    for user in USERS:
        flow.write(*settles(0, user))
    flow.write(alert(MINUTE), *(event("session_started", 2 * MINUTE, user) for user in USERS))
    flow.run()
    kept = kept_calls(flow)
    assert all(len(calls) == 1 and all(call.done for call in calls.values()) for calls in kept.values())
    assert sum(call.told for calls in kept.values() for call in calls.values()) == len(USERS)
    flow.write(*(event("session_started", 3 * DAY, user) for user in USERS))
    flow.run()
    flow.write(*(event("session_started", 3 * DAY + HOUR, user) for user in USERS))
    flow.run()
    assert kept_calls(flow) == {shard: {} for shard in range(SHARDS)}


def test_what_concerns_nobody_is_written_to_nobody_and_counted(tmp_path: Path) -> None:
    flow = Flow(tmp_path, *ONLY, partitions=SHARDS)
    before = metrics.total(metrics.CALLS, result="nobody"), metrics.total(metrics.CALLS, result="late")
    flow.write(stage(MINUTE, "burst"), {**stage(MINUTE), "audience": "martians", "event_id": "m"})
    flow.write({**alert(MINUTE), "condition": "locusts"})
    on_that = next(user for user in USERS if partition(user.encode(), SHARDS) == partition(b"", SHARDS))
    flow.write(event("session_started", 20 * DAY, on_that))
    flow.run()
    flow.write(alert(0, "too late"))
    flow.run()
    assert flow.lines("letters") == []
    assert metrics.total(metrics.CALLS, result="nobody") == before[0] + 3
    assert metrics.total(metrics.CALLS, result="late") == before[1] + 1


def test_a_full_audience_is_counted(tmp_path: Path) -> None:
    flow = Flow(tmp_path, "engine.audience_users=3", "engine.called_users=2", *ONLY)
    before = metrics.total(metrics.LIMIT_HITS, limit="audience_users")
    for user in USERS[:5]:
        flow.write(*settles(0, user))
    flow.run()
    flow.write(alert(MINUTE))
    flow.run()
    assert sorted(t["subject"] for t in flow.triggers()) == ["u0", "u1", "u2"]
    assert metrics.total(metrics.LIMIT_HITS, limit="audience_users") == before + 1
