"""In what order do things happen in the demo shop? Scripts on one heap, in event-time order.

A script is a generator that tells events and yields how long it waits (ms) before it goes on. All chance
comes from one seeded generator and no clock is read, so a seed and a start give one stream of events.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple, get_args

import msgspec

from state.calendar import SECOND
from state.events import TOPICS

Script = Generator[int, None, None]

DUPLICATE_SHARE = 0.01
STRAGGLER_SHARE = 0.005
STRAY_LIMIT = 3 * SECOND  # how late a duplicate or a straggler is written

_TOPIC_OF: dict[str, str] = {
    kind.__struct_config__.tag: role for role, union in TOPICS.items() for kind in get_args(union) or (union,)
}


class Written(NamedTuple):
    """One record of the shop, to be written at event time `ts` (never decreasing from record to record)."""

    ts: int
    topic: str
    key: str
    event: dict[str, Any] | bytes

    @property
    def value(self) -> bytes:
        return self.event if isinstance(self.event, bytes) else msgspec.json.encode(self.event)


class Stage:
    """Runs scripts. `now` is the event time of the one that is on; `ids` begins every id, so that the events
    of another seed or start are other events."""

    def __init__(self, seed: int, opening_ts: int) -> None:
        self.random = random.Random(seed)
        self.opening_ts = opening_ts
        self.now = 0
        self.ids = f"{seed:x}-{opening_ts:x}"
        self._told = 0
        self._cues: list[tuple[int, int, Script | Written]] = []
        self._cued = 0
        self._out: list[Written] = []

    def cue(self, ts: int, what: Script | Written) -> None:
        """Let a script begin at `ts`, or a record be written then."""
        self._cued += 1
        heapq.heappush(self._cues, (max(ts, self.now), self._cued, what))

    def play(self) -> Iterator[Written]:
        """Every record in the order of writing, until no script goes on."""
        while self._cues:
            self.now, _, what = heapq.heappop(self._cues)
            if isinstance(what, Written):
                yield what
                continue
            wait = next(what, None)
            if wait is not None:
                self.cue(self.now + wait, what)
            yield from self._out
            self._out.clear()

    def tell(self, kind: str, key: str, **fields: Any) -> str:
        """An event happens now; its id. After the opening a few are written twice, a few a little late."""
        self._told += 1
        event_id = f"{self.ids}-{self._told:x}"
        event = {"event_id": event_id, "type": kind, "ts": self.now, **fields}
        written = Written(self.now, _TOPIC_OF[kind], key, event)
        chance = self.random.random() if self.now >= self.opening_ts else 1.0
        if chance < STRAGGLER_SHARE:
            self._stray(written)
            return event_id
        self._out.append(written)
        if chance > 1 - DUPLICATE_SHARE and self.now >= self.opening_ts:
            self._stray(written)
        return event_id

    def write(self, topic: str, key: str, value: bytes) -> None:
        """A record that is no event."""
        self._out.append(Written(self.now, topic, key, value))

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def between(self, least: int, most: int) -> int:
        return self.random.randint(least, most)

    def about(self, mean: float) -> int:
        """A waiting time without memory, at least one."""
        return 1 + int(self.random.expovariate(1 / mean))

    def _stray(self, written: Written) -> None:
        ts = self.now + self.between(SECOND, STRAY_LIMIT)
        self.cue(ts, written._replace(ts=ts))
