"""Is a user of an older layout read as if the present program had known it from the first event on?"""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from state.activity import Activity
from state.fold import apply
from state.rfm import Rfm
from state.user import User, pack, unpack
from tests.state.history import histories
from tests.triggers.shop import FOLD


def as_layout_1(user: User) -> list[Any]:
    """What the program of layout 1 made of the same events."""
    activity = user.activity
    plain: list[Any] = msgspec.msgpack.decode(pack(user))
    plain[0] = 1
    plain[10] = [
        *(activity.by_day, activity.by_hour, activity.last_visit_at, activity.visits_since_order),
        *(activity.seen_on, _by_sku(activity), *plain[10][12:]),
    ]
    plain[11] = plain[11] or [None, None, None, []]
    if plain[12] is not None:
        del plain[12][7:]
    return plain[:29]  # what came later: history and place


def _by_sku(activity: Activity) -> dict[str, list[Any]]:
    return {sku: [v.at, v.times, v.price, v.fresh, v.since] for sku, v in activity.viewed.items()}


@given(histories())
def test_layout_1_is_read_as_the_same_user(history: list[Any]) -> None:
    user = User.new("u1")
    for event in history:
        apply(user, event, FOLD)
    read = unpack(msgspec.msgpack.encode(as_layout_1(user)))
    if user.own_lifecycle is not None and msgspec.structs.astuple(user.own_lifecycle) == (
        None,
        None,
        None,
        (),
    ):
        user.own_lifecycle = None  # asked for, and nothing was known
    if user.own_rfm is not None and not 0 < user.rfm.orders == sum(user.rfm.orders_by_day.values()):
        read.rfm.first_net = user.rfm.first_net  # not known any more, or of nothing
    assert read == user


@given(st.dictionaries(st.integers(0, 100), st.integers(1, 9)))
def test_slots_that_the_present_program_would_have_dropped_are_dropped(days: dict[int, int]) -> None:
    old: list[Any] = [1, "u1", *[None] * 5, -1, None, b"", [days, days, None, 0, {}, {}, {}, [], []]]
    activity = unpack(msgspec.msgpack.encode(old)).activity
    newest = max(days, default=0)
    assert activity.by_day == {day: counts for day, counts in days.items() if day > newest - 32}
    assert activity.by_hour == {hour: counts for hour, counts in days.items() if hour > newest - 49}
    assert list(activity.earlier_days[::2]) == sorted(activity.earlier_days[::2])


def read_rfm(rfm: Rfm) -> Rfm:
    user = User.new("u1")
    user.own_rfm = rfm
    return unpack(msgspec.msgpack.encode(as_layout_1(user))).rfm


def test_of_a_first_day_that_nobody_knows_any_more_the_mean_of_all_days_is_taken() -> None:
    """Two of five purchase days are left in the buckets."""
    days = {20_000: 1, 20_100: 2}
    kept = Rfm(days, {20_000: 300, 20_100: 500}, 3, 800, 1, 2, purchase_days=2)
    assert read_rfm(kept).first_net == 300
    older = Rfm(days, {20_000: 300, 20_100: 500}, 6, 2000, 1, 2, purchase_days=5)
    assert read_rfm(older).first_net == 400
    assert read_rfm(older).mean_repeat() == 400
