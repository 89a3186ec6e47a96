"""How far is this user in the patterns that an operator has declared?

A match is of one pattern and one correlation key: a SKU, an order, or nothing where all of a user's events belong
together. It holds what has happened since it was last settled, so what follows from it does not depend on the
order in which things were read. What an operator may declare: docs/patterns.md, triggers/declared.py.
"""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

MATCHES_LIMIT = 32  # of all patterns; what has nothing under way makes room first, then the oldest
MATCHES_PER_PATTERN_LIMIT = 16
_FAR = 1 << 62
TIMES_LIMIT = 10
ANSWERS_LIMIT = 4  # B's that found no A, for one that comes late; the latest

Mark = tuple[int, str]
"""When an A happened, and its event id."""


class Followed(Struct, frozen=True, gc=False):
    """One pattern as the state sees it; `key` is its name and a hash of its definition.

    `span`: the time for all of the A's (None: no limit), `within`: the time for B, `negated`: it must not come.
    """

    key: str
    name: str
    by: str
    times: int
    span: int | None
    within: int
    negated: bool

    @property
    def marks_limit(self) -> int:
        return 2 * self.times + 2


class Part(Struct, frozen=True):
    """What an event of one kind is in one pattern. Each asks for which correlation keys it is that: none, or some."""

    of: Followed
    opens: Callable[[Any], tuple[str, ...]] | None = None
    answers: Callable[[Any], tuple[str, ...]] | None = None
    ends_cart: bool = False


class Following(Struct, frozen=True):
    """All that is declared: which parts an event may have, and each pattern by its key."""

    parts: Mapping[type, tuple[Part, ...]] = {}
    by_key: Mapping[str, Followed] = {}


class Match(Struct, array_like=True, gc=False):
    """`marks` are the A's since `settled_at`, ascending; `answers` the B's of "A then B" that found no A.

    `complete`: of "A then not B", the count has been complete since; further A's only restart the clock.
    """

    settled_at: int = -1
    marks: list[Mark] = []
    complete: bool = False
    answers: list[int] = []

    def open(self, at: int, event_id: str, of: Followed) -> None:
        marks, mark = self.marks, (at, event_id)
        place = bisect(marks, mark)
        marks.insert(place, mark)
        if of.negated and not self.complete:  # only with the new one among them can as many be a count
            lasts = range(max(place, of.times - 1), min(place + of.times, len(marks)))
            self.complete = any(_completes(marks, last, of) for last in lasts)
        del marks[: -of.marks_limit]

    def settle(self, at: int, of: Followed) -> None:
        """Everything up to `at` is over."""
        self.settled_at = max(self.settled_at, at)
        marks = self.marks
        if marks and marks[0][0] <= at:
            self.marks = [mark for mark in marks if mark[0] > at]
            self.complete = of.negated and self._counts(of)
        if self.answers:
            self.answers = [answer for answer in self.answers if answer > at]

    def waits_at(self, at: int, of: Followed) -> bool:
        """Was the count of "A then not B" complete by then?"""
        marks = self.marks
        return self.complete and (at >= marks[-1][0] or self._counts(of, [m for m in marks if m[0] <= at]))

    def remember_answer(self, at: int) -> None:
        if at > self.settled_at:
            insort(self.answers, at)
            del self.answers[:-ANSWERS_LIMIT]

    def answered_by(self, at: int, of: Followed) -> Mark | None:
        """The A that a B at `at` answers: the last that completes the count, at most T before it."""
        marks = self.marks
        for last in range(len(marks) - 1, of.times - 2, -1):
            if marks[last][0] <= at and _completes(marks, last, of):
                return marks[last] if at - marks[last][0] <= of.within else None
        return None

    def unite(self, other: Match) -> None:
        self.settled_at = max(self.settled_at, other.settled_at)
        marks = sorted({*self.marks, *other.marks})
        # Of a count that one side has partly lost, nobody knows whether it was complete: it is counted again.
        self.complete = any(
            side.complete and side.marks[0][0] > self.settled_at for side in (self, other) if side.marks
        )
        self.marks = [mark for mark in marks if mark[0] > self.settled_at]
        answers = sorted({*self.answers, *other.answers})
        self.answers = [at for at in answers if at > self.settled_at][-ANSWERS_LIMIT:]

    def count_again(self, of: Followed) -> None:
        """After a union: what two ids have done together may complete the count."""
        self.complete = of.negated and (self.complete or self._counts(of))
        del self.marks[: -of.marks_limit]

    def _counts(self, of: Followed, marks: list[Mark] | None = None) -> bool:
        known = self.marks if marks is None else marks
        return any(_completes(known, last, of) for last in range(of.times - 1, len(known)))


def _completes(marks: list[Mark], last: int, of: Followed) -> bool:
    return of.span is None or marks[last][0] - marks[last - of.times + 1][0] <= of.span


class Answered(Struct, array_like=True, gc=False):
    """A match of "A then B": the anchor is the A, `at` when B came."""

    pattern: str
    key: str
    anchor: str
    at: int


class Patterns(Struct, array_like=True, gc=False):
    """Matches by pattern (Followed.key), then by correlation key.

    `answered` is what the event folded last has answered; it is told with that event or not at all. `united`:
    another id's matches have come and were not looked at yet.
    """

    matches: dict[str, dict[str, Match]] = {}
    answered: list[Answered] = []
    united: bool = False

    def find(self, pattern: str, key: str) -> Match | None:
        return self.matches.get(pattern, {}).get(key)

    def take(self, of: Followed, key: str, known: Mapping[str, Followed], settled_at: int) -> Match:
        """The match, made where there is none: `settled_at` is then up to when everything is over."""
        siblings = self.matches.get(of.key)
        match = None if siblings is None else siblings.get(key)
        if match is None:
            for gone in [each for each in self.matches if each not in known]:
                del self.matches[gone]  # of a pattern that was declared otherwise, or is no more
            siblings = self.matches.setdefault(of.key, {})
            match = siblings[key] = Match(settled_at)
            self.make_room(spare=match)
        return match

    def make_room(self, *, spare: Match | None = None) -> None:
        for matches in self.matches.values():
            while len(matches) > MATCHES_PER_PATTERN_LIMIT:
                del matches[_least(matches, spare)[1]]
        while sum(map(len, self.matches.values())) > MATCHES_LIMIT:
            least = {pattern: _least(matches, spare) for pattern, matches in self.matches.items() if matches}
            pattern = min(least, key=lambda pattern: (least[pattern], pattern))
            del self.matches[pattern][least[pattern][1]]

    def look_for_answer(self, match: Match, of: Followed, key: str) -> None:
        """Has a B that is known already come after an A that comes late?"""
        for at in [*match.answers]:
            anchor = match.answered_by(at, of)
            if anchor is not None:
                self.answered.append(Answered(of.key, key, anchor[1], at))
                match.settle(at, of)

    def next_due(self, known: Mapping[str, Followed]) -> int | None:
        """The end of what waits least long; asked after every event that is part of a pattern, so without `waiting`."""
        first: int | None = None
        for pattern, matches in self.matches.items():
            of = known.get(pattern)
            if of is not None and of.negated:
                for match in matches.values():
                    if match.complete and (first is None or match.marks[-1][0] + of.within < first):
                        first = match.marks[-1][0] + of.within
        return first

    def waiting(self, known: Mapping[str, Followed]) -> Iterator[tuple[int, Followed, str, Match]]:
        """Every match of "A then not B" that waits: until when, of which pattern, its key."""
        for pattern, matches in self.matches.items():
            of = known.get(pattern)
            if of is not None and of.negated:
                for key, match in matches.items():
                    if match.complete:
                        yield match.marks[-1][0] + of.within, of, key, match

    def unite(self, other: Patterns) -> None:
        """Two ids are one person: what both did counts together. What follows is asked with the patterns at hand."""
        for pattern, theirs in other.matches.items():
            own = self.matches.setdefault(pattern, {})
            for key, match in theirs.items():
                if key in own:
                    own[key].unite(match)
                else:
                    own[key] = match
        self.answered, self.united = [], True
        self.make_room()


def _least(matches: Mapping[str, Match], spare: Match | None) -> tuple[int, str]:
    """What makes room: a match with nothing under way before any other, then the one touched longest ago."""
    worth, least = _FAR, ""
    for key, match in matches.items():
        touched_at = match.marks[-1][0] if match.marks else match.settled_at - _FAR
        if match.answers:
            touched_at = max(touched_at, match.answers[-1] - _FAR)
        if match is not spare and (touched_at < worth or (touched_at == worth and key < least)):
            worth, least = touched_at, key
    return worth, least
