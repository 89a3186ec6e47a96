"""Is what came back of the messages the same in whatever order, however often and by whichever id it is told?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state.calendar import DAY
from state.contact import Sent
from state.replies import (
    ANSWER,
    CLICKED,
    DELIVERED,
    KEPT_FOR,
    OPENED,
    ORDERED,
    TOLD_LIMIT,
    Replies,
)
from state.user import User, pack, unpack

_SEEDS = st.integers(0, 2**32)
_RULES, _CHANNELS, _STRANGE = ("cart", "winback"), ("sms", "email"), ("x1", "x2")


def sent(name: str, at: int, rule: str = "cart", channel: str = "sms", *, counts: bool = True) -> Sent:
    return Sent(name, rule, 1, channel, at, counts)


def story(chance: Random) -> list[tuple[str, Any]]:
    """At most eight messages and what came back of them, and of two that nobody knows."""
    told: list[tuple[str, Any]] = []
    for number in range(chance.randrange(1, 9)):
        rule, channel, now = chance.choice(_RULES), chance.choice(_CHANNELS), (10 + number) * DAY
        told.append(("note", sent(f"t{number}", now, rule, channel)))
        for _ in range(chance.randrange(4)):
            name = chance.choice((f"t{chance.randrange(number + 1)}", chance.choice(_STRANGE)))
            at = now + chance.randrange(-DAY, DAY)
            told.append(("hear", (name, chance.choice((DELIVERED, OPENED, CLICKED, ORDERED)), at)))
            if chance.random() < 0.3:
                told.append(chance.choice((("bounce", (channel, at)), told[-1])))
    return told


def tell(replies: Replies, what: str, said: Any) -> None:
    if what == "note":
        replies.note(said)
    elif what == "bounce":
        replies.bounce(*said)
    else:
        name, sign, at = said
        replies.hear(name, sign, at)
        if sign != ORDERED:
            replies.hear_on(_CHANNELS[at % 2], sign, at)


def known(replies: Replies) -> Any:
    """All of it, whatever the order of the channels."""
    return replies.threads, replies.channels, replies.early


@given(_SEEDS)
def test_by_whichever_id_and_in_whatever_order_it_is_told_the_person_is_the_same(seed: int) -> None:
    chance = Random(seed)
    told = story(chance)
    one, ids = Replies(), [Replies(), Replies(), Replies()]
    for what, said in told:
        tell(one, what, said)
    chance.shuffle(told)
    for what, said in told:
        tell(chance.choice(ids), what, said)
    for each in ids[1:]:
        ids[0].unite(each)
    assert known(ids[0]) == known(one)


@given(_SEEDS)
def test_what_is_told_again_changes_nothing(seed: int) -> None:
    told = story(Random(seed))
    once, twice = Replies(), Replies()
    for what, said in told:
        tell(once, what, said)
    for what, said in (*told, *((what, said) for what, said in told if what != "note")):
        tell(twice, what, said)
    assert known(twice) == known(once)


def test_an_answer_counts_from_its_message_on_by_whatever_clock_it_is_told() -> None:
    replies = Replies()
    replies.hear("t1", CLICKED, DAY - 5)
    replies.note(sent("t1", DAY))
    assert replies.threads[0].answered_at == DAY
    assert replies.signs_of("t1") == 16 | CLICKED
    assert replies.early == []


def test_of_one_rule_on_one_channel_the_newest_are_kept_whatever_others_say() -> None:
    replies = Replies()
    for number in range(TOLD_LIMIT):
        replies.note(sent(f"cart{number}", number))
    for number in range(50):
        replies.note(sent(f"other{number}", 100 + number, "winback", "email"))
        replies.note(sent(f"call{number}", 100 + number, "cart", "email"))
    assert all(replies.signs_of(f"cart{number}") is not None for number in range(TOLD_LIMIT))
    replies.note(sent("cart10", 200))
    assert replies.signs_of("cart0") is None
    assert replies.signs_of("cart1") is not None


def test_who_hears_nothing_of_a_rule_for_half_a_year_is_not_burdened_with_it() -> None:
    replies = Replies()
    replies.note(sent("t1", 0))
    replies.note(sent("t2", 0, "winback"))
    replies.hear("t2", OPENED, DAY)
    replies.note(sent("t3", KEPT_FOR, "welcome"))
    assert [thread.rule for thread in replies.threads] == ["welcome", "winback"]
    replies.note(sent("t4", KEPT_FOR + DAY, "birthday"))
    assert [thread.rule for thread in replies.threads] == ["birthday", "welcome"]


def test_what_was_taken_back_and_what_was_held_out_are_told_apart() -> None:
    replies = Replies()
    held_out = sent("t1", 0)
    held_out.ghost = True
    replies.note(held_out)
    replies.note(sent("t2", 0, counts=False))
    replies.retract("t2")
    replies.retract("nobody's")
    assert (replies.signs_of("t1"), replies.signs_of("t2")) == (16 | 32, 64)
    assert not (replies.signs_of("t1") or 0) & ANSWER


def test_it_goes_to_the_ledger_and_back_and_costs_nothing_until_it_is_there() -> None:
    user = User.new("u1")
    assert unpack(pack(user)).own_replies is None
    user.replies.note(sent("t1", 5))
    user.replies.hear("t1", DELIVERED, 6)
    user.replies.hear_on("sms", DELIVERED, 6)
    assert unpack(pack(user)) == user
