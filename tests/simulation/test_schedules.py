"""Does any schedule of faults lose, repeat or change anything? Hundreds here, tens of thousands by `make simulate`."""

from __future__ import annotations

import msgspec
import pytest

from tests.simulation import shop
from tests.simulation.schedule import FAIR, Guards, Schedule, check, expected
from tests.simulation.weather import weather

SHOPS = 8
SCHEDULES = 500
PORTIONS = 20


def test_fair_weather_says_something_in_every_way() -> None:
    for shop_seed in range(SHOPS):
        outcome = expected(shop_seed)
        topics = {place.partition("/")[0] for place in outcome.published}
        assert topics == {"triggers", "decisions", "letters", "dead_letters"}
        assert len(outcome.users) == len(shop.USERS)
        assert not outcome.miscounted
        assert any(user.own_place is not None for user in outcome.users.values())
        assert sum(len(ids) for ids in outcome.published.values()) > 40


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_random_schedules(portion: int) -> None:
    size = SCHEDULES // PORTIONS
    for seed in range(portion * size, (portion + 1) * size):
        check(Schedule(seed, seed % SHOPS, weather(seed), Guards()), seed % SHOPS)


@pytest.mark.parametrize("seed", [*range(20), 107, 2035, 2043])
def test_a_shop_that_calls_out_to_many(seed: int) -> None:
    """A walk through an audience goes on after the marks: the last three forget one with users told already."""
    shop_seed = shop.WITH_CALLS + seed % 4
    check(Schedule(seed, shop_seed, weather(seed), Guards()), shop_seed)


def test_a_shop_with_a_policy_does_all_that_a_policy_can() -> None:
    said = set()
    for number in range(4):
        schedule = Schedule(0, shop.WITH_POLICY + number, FAIR, Guards(), processes=1)
        schedule.run()
        for part in range(shop.PARTITIONS):
            for _, kept in schedule.broker.committed_records("decisions", part):
                record = msgspec.json.decode(kept.value)
                said.add((record["verdict"], record["reason"]))
    refusals = {("suppress", reason) for reason in ("arbitration", "holdout", "frequency_cap")}
    assert said >= {("publish", None), ("defer", "quiet_hours"), ("defer", "arbitration"), *refusals}


@pytest.mark.parametrize("portion", range(5))
def test_a_shop_that_asks_the_gates(portion: int) -> None:
    for seed in range(portion * 20, (portion + 1) * 20):
        shop_seed = shop.WITH_POLICY + seed % 4
        check(Schedule(seed, shop_seed, weather(seed), Guards()), shop_seed)


@pytest.mark.parametrize(("processes", "portions"), [(1, (0, 1, 2, 3)), (2, (0,))])
def test_a_crash_at_every_io(processes: int, portions: tuple[int, ...]) -> None:
    """Whoever is about to make the n-th I/O is killed instead, and another process starts: for every n.

    Of polls in a row only the first: between them nothing has happened. Of two processes' I/Os a quarter.
    """
    shop_seed = 3
    fair = Schedule(1, shop_seed, FAIR, Guards(), processes=processes)
    check(fair, shop_seed)
    ios = ["", *fair.world.ios]
    moments = [at for at in range(1, len(ios)) if not ios[at] == ios[at - 1] == "poll"]
    assert len(moments) > 200
    for moment in sorted(moment for portion in portions for moment in moments[portion::4]):
        check(Schedule(1, shop_seed, FAIR, Guards(), processes=processes, crash_at=moment), shop_seed)
