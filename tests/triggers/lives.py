"""What happens to a person of up to three ids that become one, and what is decided, in the order of reading."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec import Struct

from tests.state.history import START
from tests.triggers.shop import FOREVER, Shop
from triggers.plan import Plan

IDS = ("u1", "u2", "u3")


class Step(Struct):
    """What came next: a decision, or an event as it was read; and who the person is that it concerns, by ids."""

    what: Any
    person: frozenset[str]


class Lives:
    """Up to three ids, event by event; `log` is all that happened, in order."""

    def __init__(self, plan: Plan, seed: int, ids: int = 3) -> None:
        self.plan, self.shop, self.chance, self.ts = plan, Shop(plan), Random(seed), START
        self.persons = {each: frozenset((each,)) for each in IDS[:ids]}
        self.log: list[Step] = []
        self._read = 0

    @property
    def living(self) -> list[str]:
        """Ids that are nobody's alias."""
        return [each for each in IDS if each in self.persons]

    def read(self, event: Any) -> None:
        self.shop.advance(event.ts)
        self._look()
        self.log.append(Step(event, self.persons[event.user_id]))
        self.shop.take(event, event.ts)
        self._look()

    def link(self) -> None:
        """Two of the ids turn out to be one person."""
        if len(self.persons) < 2:
            return
        gone, living = self.chance.sample(self.living, 2)
        self.shop.advance(self.ts)
        self._look()
        self.persons[living] |= self.persons.pop(gone)
        self.shop.link(gone, living, self.ts)
        self._look()

    def end(self) -> None:
        self.shop.advance(FOREVER)
        self._look()

    def _look(self) -> None:
        for decision in self.shop.decisions[self._read :]:
            self.log.append(Step(decision, self.persons[decision.candidate.user_id]))
        self._read = len(self.shop.decisions)
