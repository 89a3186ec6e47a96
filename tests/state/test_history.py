"""Are the last decisions the last ones, each candidate once, also of two ids that are one person?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state import union
from state.history import DECISIONS_LIMIT, RETRACT, Decided, History
from state.user import User, pack, unpack
from tests.triggers.shop import FOLD

_KNOWN = Decided("r", 1, 1, "a", 0, 0, "publish", "", "why", "sms", -1, "", "time")
_NAMES = st.tuples(st.sampled_from(["r1", "r2"]), st.integers(1, 2), st.sampled_from("abcde"))


def _decided(rule: str, step: int, anchor: str, at: int, verdict: str = "publish") -> Decided:
    return replace(_KNOWN, rule=rule, step=step, anchor=anchor, due=at, at=at, verdict=verdict)


def _noted(decisions: list[Decided]) -> History:
    history = User.new("u").history
    for each in decisions:
        history.note(each)
    return history


@given(st.lists(_NAMES, max_size=40))
def test_the_last_candidates_stay_with_their_latest_word(names: list[tuple[str, int, str]]) -> None:
    decisions = [_decided(*name, at=at) for at, name in enumerate(names)]
    latest = {each.name: each for each in decisions}
    expected = sorted(latest.values(), key=lambda each: each.at)[-DECISIONS_LIMIT:]
    assert _noted(decisions).last == expected


@given(st.lists(st.tuples(_NAMES, st.booleans()), max_size=60))
def test_two_ids_united_know_what_one_would(names: list[tuple[tuple[str, int, str], bool]]) -> None:
    decisions = [(_decided(*name, at=at), own) for at, (name, own) in enumerate(names)]
    own = _noted([each for each, is_own in decisions if is_own])
    own.unite(_noted([each for each, is_own in decisions if not is_own]))
    assert own.last == _noted([each for each, _ in decisions]).last


def test_a_deferral_that_is_over_is_one_entry_that_remembers_how_long_it_was() -> None:
    deferred = replace(_decided("r", 1, "a", 10, "defer"), until=50, reason="quiet_hours")
    other = _decided("r", 1, "b", 20)
    history = _noted([deferred, other, replace(_decided("r", 1, "a", 50), due=10)])
    assert history.last[0] == other
    (e,) = history.last[1:]
    assert (e.at, e.due, e.verdict, e.reason, e.until) == (50, 10, "publish", "", 50)


def test_what_is_taken_back_keeps_its_place_and_its_channel() -> None:
    taken_back = replace(_decided("r", 1, "a", 5, RETRACT), channel="", reason="late_event", cause="e9")
    history = _noted([_decided("r", 1, "a", 10), _decided("r", 1, "b", 20), taken_back])
    assert [(e.anchor, e.at, e.verdict, e.channel, e.cause) for e in history.last] == [
        ("a", 10, RETRACT, "sms", "e9"),
        ("b", 20, "publish", "sms", "time"),
    ]


def test_the_union_of_two_users_has_the_history_of_both() -> None:
    own, other = User.new("own"), User.new("other")
    own.history.note(_decided("r", 1, "a", 1))
    other.history.note(_decided("r", 1, "b", 2))
    union.unite(own, other, FOLD)
    assert [each.anchor for each in own.history.last] == ["a", "b"]


def test_who_was_never_decided_about_pays_one_byte() -> None:
    user = User.new("u1")
    assert user.own_history is None
    assert unpack(pack(user)) == user
