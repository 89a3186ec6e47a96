"""Does every walk along aliases end, and in one living user, however links and letters interleave?

Every id is on a shard of its own and any letter may be the next one to be read: more disorder than shards make.
"""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec import Struct

from state.identity import Ties, Walk

IDS = ["a", "b", "c", "d", "e", "f"]
STEPS_LIMIT = 20_000

links = st.tuples(st.sampled_from(IDS), st.sampled_from(IDS))


disorders = st.lists(st.integers(0, 1000), min_size=30, max_size=60)


class Asked(Struct):
    """On its way to `to`: you are `target`."""

    to: str
    target: str
    walk: Walk = Walk()


class Moving(Struct):
    """On its way to `to`: everything that `whose` were."""

    to: str
    whose: list[str]
    walk: Walk = Walk()


class World:
    """`holds`: whose histories are united at an id that lives."""

    def __init__(self) -> None:
        self.ties = {each: Ties() for each in IDS}
        self.holds = {each: [each] for each in IDS}
        self.under_way: list[Asked | Moving] = []
        self.opened = 0

    def read(self, letter: Asked | Moving) -> None:
        """As flows/letters.py does, one hop."""
        ties = self.ties[letter.to]
        if ties.alias_of is None:
            self.arrive(letter)
            return
        if isinstance(letter, Asked) and letter.target == ties.alias_of:
            return
        letter.walk = letter.walk.past(letter.to, ties.links)
        if letter.walk.found == (letter.to, ties.links):
            ties.alias_of = None
            self.opened += 1
            self.arrive(letter)
        else:
            letter.to = ties.alias_of
            self.under_way.append(letter)

    def arrive(self, letter: Asked | Moving) -> None:
        if isinstance(letter, Moving):
            self.holds[letter.to] += letter.whose
        elif letter.target != letter.to:
            ties, whose = self.ties[letter.to], self.holds[letter.to]
            ties.alias_of, ties.links = letter.target, ties.links + 1
            self.holds[letter.to] = []
            self.under_way.append(Moving(letter.target, whose))

    def settle(self, choices: list[int], asked: list[tuple[str, str]]) -> None:
        """Links come in between letters, in any order."""
        waiting = [Asked(*link) for link in asked]
        for number in range(STEPS_LIMIT):
            if not (waiting or self.under_way):
                return
            chance = choices[number % len(choices)] + number // len(choices)
            if waiting and (not self.under_way or chance % 3 == 0):
                self.read(waiting.pop(0))
            else:
                self.read(self.under_way.pop(chance // 3 % len(self.under_way)))
        raise AssertionError("letters walk for ever")

    def living(self) -> list[str]:
        return [each for each in IDS if self.ties[each].alias_of is None]


def groups(asked: list[tuple[str, str]]) -> list[set[str]]:
    found = [{each} for each in IDS]
    for a, b in asked:
        joined = [group for group in found if group & {a, b}]
        found = [group for group in found if group not in joined] + [set[str]().union(*joined)]
    return found


@given(disorders, st.lists(links, max_size=14))
def test_of_linked_ids_one_lives_and_holds_everything_once(
    disorder: list[int], asked: list[tuple[str, str]]
) -> None:
    world = World()
    world.settle(disorder, asked)
    event(f"circles opened: {min(world.opened, 3)}")
    assert sorted(map(sorted, groups(asked))) == sorted(sorted(world.holds[each]) for each in world.living())
    assert Counter(who for whose in world.holds.values() for who in whose) == Counter(IDS)


@given(disorders, st.dictionaries(st.sampled_from(IDS), st.sampled_from(IDS), min_size=1), st.data())
def test_where_each_id_is_linked_to_one_other_the_same_one_lives_in_any_order(
    disorder: list[int], pointers: dict[str, str], data: st.DataObject
) -> None:
    """The end of the chain, or the smallest of the circle at its end."""
    repeated = [*pointers.items(), *data.draw(st.lists(st.sampled_from([*pointers.items()]), max_size=6))]
    world = World()
    world.settle(disorder, data.draw(st.permutations(repeated)))
    for each in IDS:
        seen: list[str] = []
        at = each
        while at not in seen and pointers.get(at, at) != at:
            seen.append(at)
            at = pointers[at]
        expected = min(seen[seen.index(at) :]) if at in seen else at
        lives = each
        while (further := world.ties[lives].alias_of) is not None:
            lives = further
        assert lives == expected


@given(st.integers(2, 40), st.integers(0, 40))
def test_a_long_circle_is_opened_soon_at_its_smallest_id(length: int, lead: int) -> None:
    """However long the way into it."""
    walk, hops = Walk(), 0
    ids = [*(f"lead{number}" for number in range(lead)), *(f"{number:02d}" for number in range(length))]
    at = 0
    while True:
        walk, hops = walk.past(ids[at], 1), hops + 1
        if walk.found == (ids[at], 1):
            break
        at = at + 1 if at + 1 < len(ids) else lead
    assert ids[at] == "00"
    assert walk.hops == hops <= 4 * (lead + length) + 3 * length
    assert len(msgspec.json.encode(walk)) < 200, "it travels with the letter"


def walked(*steps: tuple[str, int]) -> Walk:
    walk = Walk()
    for user_id, links in steps:
        walk = walk.past(user_id, links)
    return walk


def test_a_circle_is_believed_after_two_equal_rounds_only() -> None:
    """A pointer that has gone since may have made the first one."""
    a, b, c, other = ("a", 1), ("b", 1), ("c", 1), ("b", 2)
    assert walked(b, a, b, a).found is None
    assert walked(b, a, b, a, b, a, b).found == a
    assert walked(c, a, b, c, a, b, c, a, other, c, a, b).found is None
    assert walked(c, a, b, c, a, b, c, a, other, c, a, other, c, a, other, c).found == a


def test_a_circle_that_was_opened_and_has_closed_again_is_found_anew() -> None:
    a, b, again = ("a", 1), ("b", 1), ("a", 2)
    assert walked(b, a, b, a, b, a, b, again).found is None
    assert walked(b, a, b, a, b, a, b, again, b, again, b, again, b, again, b).found == again
