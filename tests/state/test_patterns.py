"""Is what is under way in patterns bounded, the same in any order of reading, and whole after a union?"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from state import events, union
from state.calendar import HOUR, MINUTE
from state.fold import apply
from state.folding import FoldParams
from state.patterns import ANSWERS_LIMIT, MATCHES_LIMIT, MATCHES_PER_PATTERN_LIMIT, Match
from state.user import User, pack, unpack
from tests.state.history import START, happening
from tests.triggers.golden import plan_of


def fold_of(**patterns: dict[str, Any]) -> FoldParams:
    return plan_of({"pattern": {"patterns": patterns}}, None).fold


def viewed(number: int, sku: str = "k1", *, ts: int | None = None) -> events.ProductViewed:
    return events.ProductViewed(event_id=f"e{number}", ts=number if ts is None else ts, user_id="u", sku=sku)


MANY = {
    f"p{number}": {
        "after": {"event": "product_viewed", "times": 2},
        word: {"event": "cart_item_added"},
        "within": "1h",
        "by": "sku",
    }
    for number, word in enumerate(("then", "then_not", "then"))
}


def test_what_is_under_way_is_bounded() -> None:
    fold, chance, user = fold_of(**MANY), Random(1), User.new("u")
    other, sizes = User.new("v"), []
    for number in range(4000):
        event = happening(chance, number, START + number * MINUTE, variety=60)
        apply(chance.choice((user, other)), event, fold)
        for matches in (user.patterns.matches, other.patterns.matches):
            of_each = [*map(len, matches.values())]
            assert sum(of_each) <= MATCHES_LIMIT
            assert max(of_each, default=0) <= MATCHES_PER_PATTERN_LIMIT
            sizes.append(sum(of_each))
            for match in (match for several in matches.values() for match in several.values()):
                assert len(match.marks) <= 2 * 2 + 2
                assert len(match.answers) <= ANSWERS_LIMIT
    assert max(sizes) == MATCHES_LIMIT
    union.unite(user, other, fold)
    assert sum(map(len, user.patterns.matches.values())) <= MATCHES_LIMIT


def test_the_oldest_makes_room_and_before_it_what_has_nothing_under_way() -> None:
    pattern = {
        "after": {"event": "product_viewed"},
        "then_not": {"event": "favorited"},
        "within": "1h",
        "by": "sku",
    }
    fold, user = fold_of(p=pattern), User.new("u")
    apply(user, viewed(0, "oldest"), fold)
    apply(user, events.Favorited(event_id="f", ts=50, user_id="u", sku="settled"), fold)
    for number in range(1, MATCHES_PER_PATTERN_LIMIT - 1):
        apply(user, viewed(number, f"k{number}"), fold)
    (matches,) = user.patterns.matches.values()
    assert len(matches) == MATCHES_PER_PATTERN_LIMIT
    apply(user, viewed(90, "new"), fold)
    assert "settled" not in matches
    assert "oldest" in matches
    apply(user, viewed(91, "newer"), fold)
    assert "oldest" not in matches


def test_of_an_order_of_many_lines_as_many_are_followed_as_have_room() -> None:
    pattern = {
        "after": {"event": "order_placed"},
        "then_not": {"event": "favorited"},
        "within": "1h",
        "by": "sku",
    }
    fold, user = fold_of(p=pattern), User.new("u")
    lines = tuple(events.Line(sku=f"k{number}", quantity=1) for number in range(1000))
    apply(user, events.OrderPlaced(event_id="e", ts=1, user_id="u", order_id="o", lines=lines, total=1), fold)
    (matches,) = user.patterns.matches.values()
    assert [*matches] == [f"k{number}" for number in range(MATCHES_PER_PATTERN_LIMIT)]


def test_a_pattern_that_is_declared_otherwise_forgets_what_was_under_way() -> None:
    pattern = {
        "after": {"event": "product_viewed"},
        "then_not": {"event": "favorited"},
        "within": "1h",
        "by": "sku",
    }
    old, new = fold_of(p=pattern), fold_of(p=pattern | {"within": "2h"})
    assert old.patterns.by_key.keys() != new.patterns.by_key.keys()
    user = User.new("u")
    apply(user, viewed(1, "k1"), old)
    apply(user, viewed(2, "k2"), new)
    assert set(user.patterns.matches) == set(new.patterns.by_key)
    (matches,) = user.patterns.matches.values()
    assert set(matches) == {"k2"}


@pytest.mark.parametrize(
    "change", [{"offer": "x"}, {"channels": ["sms"]}, {"after": {"times": 1, "event": "searched"}}]
)
def test_what_does_not_change_the_meaning_does_not_change_the_key(change: dict[str, Any]) -> None:
    pattern = {"after": {"event": "searched"}, "then": {"event": "favorited"}, "within": "60m", "by": "user"}
    assert fold_of(p=pattern).patterns.by_key.keys() == fold_of(p=pattern | change).patterns.by_key.keys()


@pytest.mark.parametrize(
    "change",
    [
        {"within": "61m"},
        {"by": "cart"},
        {"after": {"event": "searched", "times": 2}},
        {"after": {"event": "searched", "within": "1h"}},
        {"after": {"event": "searched", "where": {"query": "tea"}}},
        {"then": {"event": "favorited", "where": {"sku": "k1"}}},
        {"then": None, "then_not": {"event": "favorited"}},
    ],
)
def test_what_changes_the_meaning_changes_the_key(change: dict[str, Any]) -> None:
    pattern = {"after": {"event": "searched"}, "then": {"event": "favorited"}, "within": "60m", "by": "user"}
    assert fold_of(p=pattern).patterns.by_key.keys() != fold_of(p=pattern | change).patterns.by_key.keys()


@given(st.integers(0, 2**32), st.booleans())
def test_two_ids_are_what_one_would_be_who_had_seen_it_all(seed: int, negated: bool) -> None:
    """Where nothing is settled in between: a B of one id knows nothing of the other's A's before they are united."""
    chance = Random(seed)
    pattern = {
        "after": {"event": "product_viewed", "times": chance.choice((1, 2, 3)), "within": "30m"},
        "then_not" if negated else "then": {"event": "favorited"},
        "within": "1h",
        "by": "sku",
    }
    fold, one = fold_of(p=pattern), User.new("one")
    both = [User.new("a"), User.new("b")]
    for number in range(chance.randrange(7)):
        event = viewed(number, f"k{chance.randrange(2)}", ts=START + chance.randrange(8) * 10 * MINUTE)
        apply(one, event, fold)
        apply(chance.choice(both), event, fold)
    union.unite(both[0], unpack(pack(both[1])), fold)
    (of,) = fold.patterns.by_key.values()
    for key in ("k1", "k2"):
        match, whole = (
            both[0].patterns.find(of.key, key) or Match(),
            one.patterns.find(of.key, key) or Match(),
        )
        match.count_again(of)
        assert structs.astuple(match) == structs.astuple(whole)


def test_a_b_of_one_id_settles_the_as_of_the_other() -> None:
    own, other = Match(marks=[(5, "a"), (9, "b")], complete=True), Match(settled_at=7)
    own.unite(other)
    assert (own.settled_at, own.marks, own.complete) == (7, [(9, "b")], False)


@given(st.permutations(range(6)), st.integers(1, 3))
def test_the_order_of_reading_does_not_matter(order: list[int], times: int) -> None:
    after = {"event": "product_viewed", "times": times, "within": "30m"}
    pattern = {"after": after, "then_not": {"event": "favorited"}, "within": "1h", "by": "user"}
    fold = fold_of(p=pattern)
    history: list[Any] = [viewed(number, ts=START + number * 12 * MINUTE) for number in range(5)]
    history.append(events.Favorited(event_id="b", ts=START + HOUR // 2, user_id="u", sku="k1"))
    read, in_order = User.new("u"), User.new("u")
    for place in order:
        apply(read, history[place], fold)
    for event in sorted(history, key=lambda event: event.ts):
        apply(in_order, event, fold)
    assert read.patterns == in_order.patterns
