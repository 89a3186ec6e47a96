"""Do counters of buyers equal the users after anything, and do all shards score by the same cut points?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from config.load import fold_of
from flows.buyers import HEAD, Head, unpack_head
from state.calendar import Days
from state.population import Cell, Place, Scale
from state.profile import profile
from state.scores import scores_of, values_of
from tests.exact_quintiles import exact_scores
from tests.flows.flow import DAY, HOUR, MINUTE, START, Flow, event, ordered, viewed
from tests.other_rules import others

UTC = Days("UTC")
SETS = (
    "rfm.by=quintiles",
    "rfm.quintiles.least_buyers=5",
    "rfm.quintiles.publish_every=1h",
    "rfm.quintiles.money_error=0.001",
    "orders.count_on=placed",
    *(f"rules.{rule}.enabled=false" for rule in others("segment_changed")),
)
SCALE = Scale(UTC, 0.001)


def bought(after: int, user: str, total: int) -> dict[str, Any]:
    return ordered(after, user, order_id=f"o-{after}-{user}", total=total)


def history(seed: int, users: int = 30, orders: int = 150, over: int = 40 * DAY) -> list[dict[str, Any]]:
    """Orders, refunds, cancellations, erasures and links, in order of time.

    An erased user is told nothing that is not out yet, which hangs on how much is read at once: see `lasting`.
    """
    chance = Random(seed)
    said: list[dict[str, Any]] = []
    for at in sorted(chance.sample(range(0, over, MINUTE), orders)):
        user = f"u{int(chance.triangular(0, users, 0))}"
        said.append(bought(at, user, chance.randrange(100, 100_000)))
        order_id = said[-1]["order_id"]
        later, what = at + chance.randrange(10 * DAY), chance.random()
        if what < 0.1:
            said.append(event("order_cancelled", later, user, order_id=order_id))
        elif what < 0.2:
            said.append(
                event("refund_issued", later, user, order_id=order_id, amount=chance.randrange(1, 10**5))
            )
        elif what < 0.23:
            said.append(event("erase_requested", later, user))
        elif what < 0.28:
            said.append(
                event("identity_linked", later, user, from_id=user, to_id=f"u{chance.randrange(users)}")
            )
    return sorted(said, key=lambda each: each["ts"])


def lasting(seed: int) -> list[dict[str, Any]]:
    return [each for each in history(seed) if each["type"] != "erase_requested"]


def told(flow: Flow) -> list[dict[str, Any]]:
    return sorted(flow.triggers("segment_changed"), key=lambda trigger: trigger["id"])


def heads(flow: Flow) -> list[Head]:
    return [unpack_head(flow.ledger.load_buyers(shard, HEAD) or b"") for shard in range(flow.partitions)]


def cells(flow: Flow, shard: int = 0) -> dict[Cell, int]:
    found = {}
    for name, blob in flow.ledger.open(shard, "looks").buyers.items():
        if name[0].isdigit():
            month, measure, bucket = name.split(":")
            found[int(month), measure, int(bucket)] = int(blob)
    return found


def assert_counted(flow: Flow) -> int:
    """Every shard has counted its living buyers, each where her state says, and nobody else; answers with how many."""
    places: list[Place] = []
    for shard, head in enumerate(heads(flow)):
        ids, users = flow.ledger.user_ids(shard), flow.users()
        expected = [SCALE.place_of(users[user_id].own_rfm, head.count) for user_id in ids]
        assert [users[user_id].own_place for user_id in ids] == expected
        here = [place for place in expected if place is not None]
        assert cells(flow, shard) == Counter(cell for place in here for cell in place.cells())
        places += here
    return len(places)


def run(directory: Path, said: list[dict[str, Any]], *sets: str, partitions: int = 1) -> Flow:
    flow = Flow(directory, *SETS, *sets, partitions=partitions)
    flow.write(*said)
    flow.run()
    return flow


@pytest.mark.parametrize("seed", range(4))
def test_counters_equal_the_users(seed: int, tmp_path: Path) -> None:
    assert assert_counted(run(tmp_path, history(seed))) > 10


@pytest.mark.parametrize("seed", range(3))
def test_counters_equal_the_users_of_each_shard(seed: int, tmp_path: Path) -> None:
    flow = run(tmp_path, history(seed), partitions=3)
    flow.run()  # what the letters have brought
    assert assert_counted(flow) > 10
    assert len({head.published for head in heads(flow)}) == 1


@pytest.mark.parametrize("at", range(1, 12))
def test_counters_equal_the_users_after_a_crash(at: int, tmp_path: Path) -> None:
    calm = run(tmp_path / "calm", lasting(1), "engine.batch_records=20")
    flow = Flow(tmp_path / "crash", *SETS, "engine.batch_records=20")
    flow.write(*lasting(1))
    assert flow.run_and_die(at)
    flow.run()
    assert_counted(flow)
    assert [head.published for head in heads(flow)] == [head.published for head in heads(calm)]
    assert told(flow) == told(calm)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_told_does_not_hang_on_how_much_is_read_at_once(seed: int, tmp_path: Path) -> None:
    flows = [
        run(tmp_path / str(size), lasting(seed), f"engine.batch_records={size}") for size in (1, 7, 10_000)
    ]
    assert told(flows[0])
    assert told(flows[0]) == told(flows[1]) == told(flows[2])
    assert len({heads(flow)[0].published for flow in flows}) == 1


def test_cut_points_are_those_of_everybody_a_period_before(tmp_path: Path) -> None:
    """Found at the turn of one period, in force with the next: as a sort has it."""
    said = [bought(n * MINUTE, f"u{n % 25}", 1_000 + 37 * n) for n in range(58)]
    flow = run(tmp_path, [*said, bought(HOUR + 1, "late", 5), bought(3 * HOUR, "later", 5)], partitions=1)
    (head,) = heads(flow)
    since, cuts = head.published[0]
    assert since == (START + HOUR) // HOUR * HOUR + HOUR
    assert cuts is not None
    until = since - HOUR
    early = [each for each in said if each["ts"] < until]
    spent, orders = Counter[str](), Counter[str]()
    for each in early:
        spent[each["user_id"]] += each["total"]
        orders[each["user_id"]] += 1
    values = [(0, orders[user], spent[user]) for user in sorted(spent)]
    assert [scores_of(each, cuts) for each in values] == exact_scores([*values])


def test_the_buyers_of_all_shards_are_one_population(tmp_path: Path) -> None:
    users = [f"u{n}" for n in range(30)]
    flow = Flow(tmp_path, *SETS, partitions=3)
    said = [[bought(n * MINUTE, user, 1_000 + 37 * n) for n, user in enumerate(users)]]
    said += [[viewed(hour * HOUR + n, user) for n, user in enumerate(users)] for hour in (2, 4, 6)]
    for each in said:
        flow.write(*each)
        flow.run()
        flow.run()  # what the letters have brought
    published = {head.published for head in heads(flow)}
    assert len(published) == 1
    _, cuts = published.pop()[-1]
    assert cuts is not None
    values = [(0, 1, 1_000 + 37 * n) for n in range(30)]
    assert [scores_of(each, cuts) for each in values] == exact_scores([*values])
    assert len({user.user_id for user in flow.users().values()}) == 30
    assert all(cells(flow, shard) for shard in range(3)), "buyers on every shard"


def test_too_few_buyers_have_no_quintiles(tmp_path: Path) -> None:
    flow = run(tmp_path, [bought(n * HOUR, f"u{n % 4}", 100) for n in range(20)])
    (head,) = heads(flow)
    assert head.published == ()
    assert head.version == ""
    flow.write(*[bought((30 + n) * HOUR, f"u{n}", 100) for n in range(8)])
    flow.run()
    assert heads(flow)[0].published[-1][1] is not None


def test_who_has_not_bought_for_long_is_no_part_of_the_population(tmp_path: Path) -> None:
    said = [bought(n * HOUR, f"u{n}", 100) for n in range(8)]
    flow = run(tmp_path, [*said, *(bought(100 * DAY + n * HOUR, "v", 100) for n in range(4))],
               "rfm.quintiles.bought_within=60d")  # fmt: skip
    assert sum(n for (_, measure, _), n in cells(flow).items() if measure == "f") == 1
    assert heads(flow)[0].published[-1][1] is None, "one buyer is too few"
    flow.write(bought(100 * DAY + 5 * HOUR, "u3", 100))
    flow.run()
    assert sum(n for (_, measure, _), n in cells(flow).items() if measure == "f") == 2


def test_counters_begin_anew_when_they_are_switched_on_again(tmp_path: Path) -> None:
    flow = run(tmp_path, history(2))
    counted = heads(flow)[0].count
    flow.change("rfm.by=thresholds")
    flow.write(bought(60 * DAY, "new", 100))
    flow.run()
    assert cells(flow) == {}
    assert heads(flow)[0].scale == ""
    flow.change("rfm.by=quintiles")
    flow.write(bought(61 * DAY, "u1", 100), bought(61 * DAY, "u2", 100))
    flow.run()
    assert (counted, heads(flow)[0].count) == (1, 3)
    places = [user.own_place for user in flow.users().values()]
    here = [place for place in places if place is not None and place.count == heads(flow)[0].count]
    assert len(here) >= 2
    assert cells(flow) == Counter(cell for place in here for cell in place.cells())


def test_the_profile_says_scores_and_by_which_cut_points(tmp_path: Path) -> None:
    flow = run(tmp_path, history(3))
    published = heads(flow)[0].published
    now = published[-1][0] + 1
    fold = fold_of(flow.settings).under(published)
    cuts = published[-1][1]
    assert cuts is not None
    for user in flow.users().values():
        if user.has_ordered:
            found = profile(user, now, fold)["rfm"]
            values = values_of(user.rfm, now, cuts, UTC)
            assert values is not None
            assert tuple(found["scores"].values()) == scores_of(values, cuts)
            assert found["cuts_version"] == cuts.version
            assert found["segment"] is not None
