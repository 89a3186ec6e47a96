"""Is what is left of each lot the same in whatever order grants and spends arrive, also over several ids?"""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from state.calendar import DAY
from state.points import EXPIRED_KEPT_FOR, LOTS_LIMIT, SPENDS_LIMIT, Points

Told = tuple[int, str | None, int, int]
"""(when, lot, points, expiry); of a spend the lot is None."""


def story(chance: Random, most: int = 20, days: int = 25) -> list[Told]:
    """Grants and spends within fewer days than expired lots are kept."""
    told: list[Told] = []
    for number in range(chance.randint(1, most)):
        at = chance.randrange(days * DAY)
        if chance.random() < 0.5:
            told.append((at, f"l{number}", chance.randint(1, 9), at + chance.choice((1, 5 * DAY, 400 * DAY))))
        else:
            told.append((at, None, chance.randint(1, 12), 0))
    return told


def kept(told: list[Told]) -> Points:
    points = Points()
    for at, lot_id, count, expires_at in told:
        if lot_id is None:
            points.spend(at, count)
        else:
            points.grant(at, lot_id, count, expires_at)
    return points


def by_hand(told: list[Told]) -> dict[str, int]:
    """Point by point in the order of time."""
    lots = {lot_id: (at, expires_at) for at, lot_id, _, expires_at in told if lot_id is not None}
    left = {lot_id: count for _, lot_id, count, _ in told if lot_id is not None}
    for at, _, count, _ in sorted((each for each in told if each[1] is None), key=lambda each: each[0]):
        for _ in range(count):
            alive = [name for name, (since, until) in lots.items() if since <= at <= until and left[name]]
            if alive:
                left[min(alive, key=lambda name: (lots[name][1], lots[name][0], name))] -= 1
    return left


@given(st.integers(0, 2**32))
def test_a_spend_takes_from_the_lot_that_expires_first_in_any_order_of_arrival(seed: int) -> None:
    chance = Random(seed)
    told = story(chance)
    points = kept(chance.sample(told, len(told)))
    assert points.left() == by_hand(told)
    now = 30 * DAY
    alive = {lot_id for _, lot_id, _, expires_at in told if lot_id is not None and expires_at > now}
    assert points.balance(now) == sum(left for lot_id, left in by_hand(told).items() if lot_id in alive)


@given(st.integers(0, 2**32))
def test_the_union_of_ids_is_one_purse(seed: int) -> None:
    chance = Random(seed)
    told = story(chance)
    shares: list[list[Told]] = [[], [], []]
    for each in told:
        chance.choice(shares).append(each)
    first, *others = [kept(share) for share in shares]
    for other in others:
        first.unite(other)
    assert first.left() == by_hand(told)


@given(st.integers(0, 2**32))
def test_what_is_settled_in_the_course_of_time_leaves_the_same(seed: int) -> None:
    chance = Random(seed)
    told = sorted(story(chance, most=80, days=600), key=lambda each: (each[0], each[1] or "z"))
    points = kept(told)
    now = told[-1][0]
    expected = {name: left for name, left in by_hand(told).items() if name in points.lots}
    assert points.left() == expected
    assert all(lot.expires_at >= now - EXPIRED_KEPT_FOR for lot in points.lots.values())
    assert len(points.spends) <= SPENDS_LIMIT


def test_of_two_grants_of_a_lot_the_earlier_counts() -> None:
    for told in ([(5, "l", 7, 99), (6, "l", 8, 98)], [(6, "l", 8, 98), (5, "l", 7, 99)]):
        points = kept(list(told))
        assert (points.left(), points.lots["l"].expires_at) == ({"l": 7}, 99)


def test_what_is_spent_beyond_all_lots_is_no_debt() -> None:
    points = kept([(1, "l1", 5, 99), (2, None, 8, 0), (3, "l2", 4, 99)])
    assert points.left() == {"l1": 0, "l2": 4}


def test_points_spent_until_a_moment_leave_what_was_there_then() -> None:
    points = kept([(1, "l1", 5, 99), (10, None, 2, 0), (20, None, 3, 0)])
    assert [points.left(until)["l1"] for until in (9, 10, 19, 20)] == [5, 3, 3, 0]


def test_expired_lots_make_room_first_then_those_with_the_fewest_points() -> None:
    points = Points()
    points.grant(0, "expired", 99, 1000)
    points.grant(0, "small", 1, 10**12)
    points.grant(0, "spent", 50, 10**11)
    points.spend(1, 99 + 49)
    for number in range(LOTS_LIMIT - 2):
        points.grant(2000 + number, f"l{number}", 10, 10**12)
    assert {"expired", "small", "spent"} - points.lots.keys() == {"expired"}
    points.grant(9000, "one more", 10, 10**12)
    assert {"small", "spent"} - points.lots.keys() == {"spent"}
    assert points.left()["small"] == 1
    assert len(points.lots) == LOTS_LIMIT
