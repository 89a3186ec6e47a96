"""Is every change of segment that stands for a day told, and no other?"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from state.calendar import DAY
from tests.oracles.kit import Arrival, Told, scattered, told
from tests.oracles.purchases import START, Ledger, shopping

UNTIL = START + 800 * DAY


class Watch(Struct):
    """Somebody who looks at the flags at each moment at which they may change."""

    said: list[Told]
    flags: str | None = None
    coming: str | None = None
    since: int | None = None
    anchor: str = ""
    reached: int = -1

    def look(self, flags: str | None, at: int, by: str) -> None:
        if flags == self.flags:
            if self.since is not None:
                self.reached, self.since = max(self.reached, at), None
        elif self.since is None or flags != self.coming:
            self.reached = max(self.reached, at)
            self.coming, self.since, self.anchor = flags, at, by or f"{flags}@{at}"

    def settle(self) -> None:
        assert self.since is not None
        due = self.since + DAY
        self.said.append(Told("u1", 1, self.anchor, due))
        self.reached, self.flags, self.since = max(self.reached, due), self.coming, None


def _expected(arrivals: list[Arrival]) -> list[Told]:
    known, read, watch = Ledger(), set[str](), Watch([])
    for arrival, following in zip(arrivals, [*arrivals[1:], Arrival(UNTIL, None)], strict=True):
        event = arrival.event
        if event.event_id not in read:
            read.add(event.event_id)
            known.read(event)
            watch.reached = max(watch.reached, event.ts)
            watch.look(known.flags(watch.reached), watch.reached, event.event_id)
        paid = known.paid()
        aged = paid[-1][0] + 30 * DAY if paid else -1
        midnights = range((watch.reached // DAY + 1) * DAY, following.at, DAY)
        for moment in sorted({*midnights, min(aged, following.at), following.at}):
            if watch.since is not None and watch.since + DAY < moment:
                watch.settle()
            if watch.reached < moment < following.at:
                watch.look(known.flags(moment), moment, "")
                if watch.since is not None and watch.since + DAY == moment:
                    watch.settle()
    return watch.said


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_what_stands_for_a_day_is_told(seed: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, shopping(chance))
    assert told("segment_changed", {"settle_for": "24h"}, arrivals, until=UNTIL) == _expected(arrivals)
