"""Do counters of buyers say what a count of all of them says, and do their cut points part them as a sort would?"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.calendar import DAY, Days
from state.population import MONTH_DAYS, ORDERS_OPEN, Place, Population, Scale, Totals, cuts_of
from state.rfm import Rfm
from state.scores import Cuts, scores_of, values_of
from tests.exact_quintiles import exact_scores

UTC = Days("UTC")
SCALE = Scale(UTC, 0.01)
TODAY = 20_000

rfms = st.builds(
    lambda day, orders, spend: Rfm(orders=orders, net_amount=spend, last_order_at=day * DAY),
    st.integers(TODAY - 400, TODAY),
    st.integers(0, 12),
    st.integers(-500, 100_000),
)
# Which buyer comes to which values next; a later one of the same buyer moves her.
moves = st.lists(st.tuples(st.integers(0, 7), rfms), max_size=40)


def counted(
    changes: list[tuple[int, Rfm]], first_month: int = 0
) -> tuple[Population, dict[int, Place | None]]:
    population, places = Population({}, first_month), dict[int, Place | None]()
    for buyer, rfm in changes:
        places[buyer] = population.move(places.get(buyer), SCALE.place_of(rfm, 0))
    return population, places


def fresh(latest: dict[int, Rfm], first_month: int = 0) -> Population:
    population = Population({}, first_month)
    for rfm in latest.values():
        population.move(None, SCALE.place_of(rfm, 0))
    return population


@given(changes=moves)
def test_add_and_remove_in_any_order_equal_a_fresh_count(changes: list[tuple[int, Rfm]]) -> None:
    population, _ = counted(changes)
    assert population.cells == fresh(dict(changes)).cells
    assert population.totals == fresh(dict(changes)).totals
    assert Population(dict(population.cells), 0).totals == population.totals


@given(changes=moves)
def test_what_is_taken_is_all_that_changed(changes: list[tuple[int, Rfm]]) -> None:
    population, stored, places = (
        Population({}, 0),
        dict[tuple[int, str, int], int](),
        dict[int, Place | None](),
    )
    for number, (buyer, rfm) in enumerate(changes):
        places[buyer] = population.move(places.get(buyer), SCALE.place_of(rfm, 0))
        if number % 3 == 0:
            stored |= population.take()
    stored |= population.take()
    assert {cell: buyers for cell, buyers in stored.items() if buyers} == population.cells
    assert not population.changed


@given(changes=moves, later=moves, months=st.integers(0, 14))
def test_months_that_are_over_leave_as_if_they_had_never_been(
    changes: list[tuple[int, Rfm]], later: list[tuple[int, Rfm]], months: int
) -> None:
    first = TODAY // MONTH_DAYS - months
    population, places = counted(changes)
    population.expire(first)
    for buyer, rfm in later:
        places[buyer] = population.move(places.get(buyer), SCALE.place_of(rfm, 0))
    assert population.cells == fresh(dict(changes + later), first).cells
    assert all(
        place is None or place.month >= first or buyer not in dict(later) for buyer, place in places.items()
    )


totals = st.builds(
    Totals, *[st.dictionaries(st.integers(-1, 9), st.integers(1, 9), max_size=5) for _ in range(3)]
)


@given(a=totals, b=totals, c=totals)
def test_merging_is_addition(a: Totals, b: Totals, c: Totals) -> None:
    assert Totals.merged([Totals.merged([a, b]), c]) == Totals.merged([a, Totals.merged([c, b])])
    assert Totals.merged([a, b]).buyers == a.buyers + b.buyers


@given(parts=st.lists(st.lists(rfms, max_size=15), min_size=1, max_size=4))
def test_shards_add_up_to_one(parts: list[list[Rfm]]) -> None:
    whole = fresh(dict(enumerate(rfm for part in parts for rfm in part)))
    assert Totals.merged(fresh(dict(enumerate(part))).totals for part in parts) == whole.totals


@given(amount=st.integers(-10, 10**15), error=st.sampled_from([0.0001, 0.005, 0.01, 0.1]))
def test_a_bucket_of_money_is_narrow(amount: int, error: float) -> None:
    scale = Scale(UTC, error)
    bucket = scale.bucket_of(amount)
    assert scale.top(bucket) >= amount
    assert scale.top(bucket) <= max(amount, 0) * (1 + error) * (1 + 1e-9)
    assert bucket < 0 or scale.top(bucket - 1) < amount


def test_small_amounts_are_exact() -> None:
    scale = Scale(UTC, 0.005)
    assert [scale.top(scale.bucket_of(amount)) for amount in range(101)] == [*range(101)]


def test_the_last_bucket_of_orders_is_open() -> None:
    places = [SCALE.place_of(Rfm(orders=orders, last_order_at=0), 0) for orders in (ORDERS_OPEN, 5_000)]
    assert places[0] == places[1]


def cuts_over(rfms: list[Rfm], scale: Scale = SCALE, keep_margin: float = 0.05) -> Cuts:
    return cuts_of(fresh(dict(enumerate(rfms))).totals, TODAY, scale, good_score=4, keep_margin=keep_margin)


@given(buyers=st.lists(rfms.filter(lambda rfm: rfm.orders > 0), min_size=1, max_size=60))
def test_recency_and_frequency_are_scored_as_a_sort_would(buyers: list[Rfm]) -> None:
    cuts = cuts_over(buyers)
    values = [values_of(rfm, 0, cuts, UTC) for rfm in buyers]
    found = [scores_of(each, cuts)[:2] for each in values if each is not None]
    exact = exact_scores([each for each in values if each is not None])
    assert found == [each[:2] for each in exact]


@given(buyers=st.lists(rfms.filter(lambda rfm: rfm.orders > 0), min_size=1, max_size=30))
def test_who_is_good_may_stay_so_a_little_below_the_cut_point(buyers: list[Rfm]) -> None:
    cuts, keep = cuts_over(buyers), cuts_over(buyers).keep
    assert keep is not None
    assert keep[0] >= cuts.r[1]
    assert keep[1] <= cuts.f[2]
    assert keep[2] <= cuts.m[2]
    assert cuts_over(buyers, keep_margin=0).keep == (cuts.r[1], cuts.f[2], cuts.m[2])


@given(buyers=st.lists(rfms.filter(lambda rfm: rfm.orders > 0), min_size=1, max_size=20), seed=st.integers())
def test_equal_cut_points_have_an_equal_version(buyers: list[Rfm], seed: int) -> None:
    mixed = list(buyers)
    Random(seed).shuffle(mixed)
    assert cuts_over(buyers) == cuts_over(mixed)
    older = [Rfm(orders=b.orders + 1, net_amount=b.net_amount, last_order_at=b.last_order_at) for b in buyers]
    assert cuts_over(older).version != cuts_over(buyers).version


@pytest.mark.parametrize("seed", range(2))
def test_agreement_stays_while_everybody_drifts(seed: int) -> None:
    """8,000 buyers, log-normal spend that grows: at each of eight checkpoints 99 % are where a sort would put them."""
    chance, scale = Random(seed), Scale(UTC, 0.005)
    population, places = Population({}, 0), dict[int, Place | None]()
    held = {n: Rfm(orders=1, net_amount=1, last_order_at=TODAY * DAY) for n in range(8_000)}
    for checkpoint in range(8):
        day = TODAY + 30 * checkpoint
        for buyer in chance.sample(range(8_000), 3_000) if checkpoint else range(8_000):
            rfm = held[buyer]
            rfm.orders += 1
            rfm.net_amount += int(chance.lognormvariate(8 + checkpoint / 5, 1.2))
            rfm.last_order_at = (day + chance.randrange(30)) * DAY
            places[buyer] = population.move(places.get(buyer), scale.place_of(rfm, 0))
        cuts = cuts_of(population.totals, day + 30, scale, good_score=4, keep_margin=0.05)
        values = [v for rfm in held.values() if (v := values_of(rfm, 0, cuts, UTC)) is not None]
        found, exact = [scores_of(each, cuts) for each in values], exact_scores(values)
        for measure in range(3):
            same = sum(a[measure] == b[measure] for a, b in zip(found, exact, strict=True))
            assert same >= 0.99 * len(values), (checkpoint, measure, same)
