"""Is a user read back as written, by us and by outsiders, and does a repeated event change nothing?"""

from __future__ import annotations

from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.fold import apply
from state.folding import DUPLICATE
from state.user import LAYOUT, SEEN_BYTES, User, pack, unpack
from tests.state.history import histories
from tests.triggers.shop import FOLD


@given(histories())
def test_a_user_is_read_back_as_written(history: list[Any]) -> None:
    user = User.new("u1")
    for event in history:
        apply(user, event, FOLD)
    assert unpack(pack(user)) == user


def _lists(value: Any) -> Any:
    """Tuples as lists, as MessagePack knows only arrays."""
    if isinstance(value, dict):
        return {key: _lists(each) for key, each in value.items()}
    return [_lists(each) for each in value] if isinstance(value, list | tuple) else value


@given(histories())
def test_outsiders_read_the_same_with_the_msgpack_package_alone(history: list[Any]) -> None:
    user = User.new("u1")
    for event in history:
        apply(user, event, FOLD)
    plain = msgpack.unpackb(pack(user), strict_map_key=False)
    assert plain == _lists(msgspec.to_builtins(user, str_keys=False, builtin_types=(bytes,)))
    assert plain[:2] == [LAYOUT, "u1"]
    assert (plain[12] or [0, 0, 0])[2] == user.rfm.orders
    assert (plain[14] or [{}])[0] == {
        sku: [line.quantity, line.price, line.added_at, line.category]
        for sku, line in user.cart.lines.items()
    }


def test_what_an_older_program_wrote_is_read_with_defaults_for_what_came_since() -> None:
    old = msgpack.packb([LAYOUT, "u1", 5])
    assert unpack(old) == User(LAYOUT, "u1", first_seen_at=5)


@given(histories(), st.data())
def test_a_repeated_event_changes_nothing(history: list[Any], data: st.DataObject) -> None:
    user = User.new("u1")
    for event in history:
        apply(user, event, FOLD)
    before = pack(user)
    for event in data.draw(st.lists(st.sampled_from(history), max_size=5)) if history else ():
        assert apply(user, event, FOLD) is DUPLICATE
    assert pack(user) == before


def test_exactly_the_last_64_events_are_remembered() -> None:
    user = User.new("u1")
    first, *later = [events.SessionStarted(event_id=f"e{n}", ts=n, user_id="u1") for n in range(65)]
    for event in (first, *later[:63]):
        apply(user, event, FOLD)
    assert apply(user, first, FOLD) is DUPLICATE
    apply(user, later[63], FOLD)
    assert len(user.seen) == SEEN_BYTES
    assert apply(user, first, FOLD) is not DUPLICATE


def test_an_id_is_unique_within_its_topic_only() -> None:
    user = User.new("u1")
    apply(user, events.SessionStarted(event_id="1", ts=0, user_id="u1"), FOLD)
    assert (
        apply(user, events.OrderPaid(event_id="1", ts=0, user_id="u1", order_id="o1"), FOLD) is not DUPLICATE
    )
    assert apply(user, events.Searched(event_id="1", ts=0, user_id="u1", query="q"), FOLD) is DUPLICATE


@pytest.mark.parametrize("first", [0, 100, 9_980, 99_999_980])
def test_numbers_of_different_topics_are_never_taken_for_each_other(first: int) -> None:
    """As they were when the topic was the seed of the hash: "e21" of customers was "e23" of orders."""
    user = User.new("u1")
    for event_id in (f"{prefix}{first + number}" for number in range(16) for prefix in ("", "e")):
        registered = events.Registered(event_id=event_id, ts=0, user_id="u1")
        paid = events.OrderPaid(event_id=event_id, ts=0, user_id="u1", order_id="o1")
        assert apply(user, registered, FOLD) is not DUPLICATE
        assert apply(user, paid, FOLD) is not DUPLICATE


@given(histories(), histories())
def test_of_an_erased_user_only_the_mark_remains(before: list[Any], after: list[Any]) -> None:
    user = User.new("u1")
    for event in before:
        apply(user, event, FOLD)
    apply(user, events.EraseRequested(event_id="erase", ts=99, user_id="u1"), FOLD)
    for event in after:
        assert apply(user, event, FOLD) is DUPLICATE
    assert user == User(LAYOUT, "u1", erased_at=99)
