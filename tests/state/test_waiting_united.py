"""What of that which waits for either of two ids waits for the one person, and by which settings?"""

from __future__ import annotations

from state import union
from state.contact import PENDING_LIMIT, Pending
from state.user import User, pack
from tests.triggers.shop import FOLD


def waiting(number: int, until: int, *, shadow: bool) -> Pending:
    return Pending("r", 1, f"a{number}", 0, until, 1, [], {}, "", None, None, [], "quiet_hours", 0, shadow)


def test_what_waits_in_shadow_takes_no_place_of_what_will_be_said() -> None:
    own, other, third = User.new("own"), User.new("other"), User.new("third")
    own.contact.pending = [waiting(number, number, shadow=True) for number in range(PENDING_LIMIT)]
    other.contact.pending = [waiting(50 + number, 500, shadow=False) for number in range(PENDING_LIMIT)]
    third.contact.pending = [waiting(99, -1, shadow=True)]
    assert union.unite(own, other, FOLD) == []
    assert len(own.pending) == 2 * PENDING_LIMIT
    dropped = union.unite(own, third, FOLD)
    assert [(p.anchor, p.shadow) for p in dropped] == [("a15", True)]


def test_a_timer_brings_the_stanza_by_which_it_was_set() -> None:
    own, other = User.new("own"), User.new("other")
    own.wakes.update(cart=7, churn=5, near=3)
    other.wakes.update(cart=5, churn=9, birthday=4)
    for user, numbers in ((own, {"cart": 1, "churn": 2}), (other, {"churn": 3, "birthday": 4})):
        for rule, number in numbers.items():
            user.note_stanza(rule, number)
    union.unite(own, other, FOLD)
    assert {rule: own.stanza_of(rule) for rule in own.wakes} == {
        "cart": 0,
        "churn": 2,
        "near": 0,
        "birthday": 4,
    }


def test_the_first_stanza_costs_nothing() -> None:
    plain, user = User.new("u"), User.new("u")
    user.note_stanza("r", 0)
    assert pack(user) == pack(plain)
    user.note_stanza("r", 3)
    user.note_stanza("r", 0)
    assert pack(user) == pack(plain)
