"""Do scores by cut points give the flags, without anybody flapping at a cut point? Thresholds: tests/oracles."""

from __future__ import annotations

import pytest
from msgspec import structs

from state.calendar import DAY, Days
from state.rfm import Rfm
from state.scores import Cuts
from state.segments import flags_of, next_change_at, with_published
from state.standing import Standing
from state.user import User
from tests.triggers.shop import FOLD

UTC = Days("UTC")
NOW = 20_000 * DAY
CUTS = Cuts(
    version="v", r=(10, 20, 30, 40), f=(2, 3, 4, 5), m=(100, 200, 300, 400), as_of=20_000, keep=(25, 3, 250)
)
PARAMS = structs.replace(FOLD.segments, by="quintiles", cuts=CUTS)


def buyer(age: int, orders: int, spend: int, told: str | None = None) -> User:
    user = User.new("u1")
    user.own_rfm = Rfm(orders=orders, net_amount=spend, last_order_at=NOW - age * DAY)
    user.decided_at = NOW
    if told is not None:
        user.own_standing = Standing(flags=told)
    return user


@pytest.mark.parametrize(
    ("age", "orders", "spend", "told", "flags"),
    [
        (19, 4, 300, None, "111"),
        (20, 3, 299, None, "000"),
        (20, 3, 299, "000", "000"),
        (20, 3, 299, "111", "111"),  # behind the cut points, within the margin
        (24, 3, 250, "111", "111"),
        (25, 2, 249, "111", "000"),
        (20, 3, 299, "010", "010"),  # each flag by itself
        (19, 4, 300, "000", "111"),  # to become good there is no margin
    ],
)
def test_who_was_good_stays_so_within_the_margin(
    age: int, orders: int, spend: int, told: str | None, flags: str
) -> None:
    assert flags_of(buyer(age, orders, spend, told), NOW, PARAMS, UTC) == flags


def test_days_count_as_of_the_publication_or_of_today() -> None:
    later = NOW + 10 * DAY
    fixed = structs.replace(CUTS, as_of=None, keep=None)
    assert flags_of(buyer(15, 1, 0), later, PARAMS, UTC) == "100"
    assert flags_of(buyer(15, 1, 0), later, structs.replace(PARAMS, cuts=fixed), UTC) == "000"


def test_cut_points_count_from_their_time_on_and_never_before() -> None:
    kinder = structs.replace(CUTS, version="w", r=(30, 40, 50, 60), f=(1, 1, 1, 1), m=(1, 1, 1, 1))
    user, others = buyer(35, 2, 10), structs.replace(CUTS, version="own", r=(1, 36, 37, 38), keep=None)
    published = ((NOW, CUTS), (NOW + 10, kinder), (NOW + 20, None))
    params = with_published(structs.replace(PARAMS, cuts=others), published)
    flags = [flags_of(user, at, params, UTC) for at in (NOW - 1, NOW, NOW + 9, NOW + 10, NOW + 19, NOW + 20)]
    assert flags == ["100", "000", "000", "111", "111", "100"]
    assert (
        flags_of(user, NOW + 20, with_published(structs.replace(PARAMS, cuts=None), published), UTC) == "000"
    )


@pytest.mark.parametrize(("score", "flags"), [(2, "111"), (3, "111"), (4, "010"), (5, "000")])
def test_what_is_good_is_a_setting(score: int, flags: str) -> None:
    assert flags_of(buyer(25, 4, 250), NOW, structs.replace(PARAMS, good_score=score), UTC) == flags


@pytest.mark.parametrize("by", ["thresholds", "quintiles"])
def test_without_cut_points_and_by_thresholds_these_count(by: str) -> None:
    thresholds = structs.replace(PARAMS, by=by, cuts=CUTS if by == "thresholds" else None)
    assert flags_of(buyer(29, 1, 10**6), NOW, thresholds, UTC) == "100"


def test_a_buyer_is_looked_at_daily_as_long_as_she_counts() -> None:
    assert next_change_at(buyer(300, 4, 300), PARAMS, UTC) == NOW + DAY
    assert next_change_at(buyer(365, 4, 300), PARAMS, UTC) is None
    assert next_change_at(User.new("u1"), PARAMS, UTC) is None
    waiting = structs.replace(PARAMS, cuts=None)
    assert next_change_at(buyer(300, 4, 300), waiting, UTC) == NOW + DAY
    assert next_change_at(buyer(29, 4, 300), waiting, UTC) == NOW + DAY
