"""What would somebody tell who reads every arrival and thinks it all over from the beginning each time?

A slow model of being asked, for oracles of rules that wait: a rule is asked about each event it listens to, and again
when something is due that no event read by then has called off. What is due, and what stands, the oracle says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from state.calendar import MINUTE
from tests.oracles.kit import Arrival, Told

FAR = 1 << 60


class Case(NamedTuple):
    """Something to tell once, by its `key`. `stands`: False as long as it may not be told; `stale`: not even later.

    `at_once`: it does not wait for its due time to be over.
    """

    key: Any
    told: Told
    stands: bool = True
    stale: bool = False
    at_once: bool = False


Cases = Callable[[list[Any], dict[Any, Told], Any], list[Case]]
"""Of all that is known as it was read, what was settled by key, and the event that asks: what there is to tell."""


def expected(
    arrivals: Sequence[Arrival],
    cases: Cases,
    listens: tuple[type, ...],
    *,
    valid_for: int = FAR,
    lateness: int = 60 * MINUTE,
) -> list[Told]:
    """For one user, sorted."""
    known: list[Any] = []
    settled: dict[Any, Told] = {}
    said: list[Told] = []

    def ask(now: int, event: Any) -> int | None:
        def passed(due: int) -> bool:
            return due < now or (due == now and event is None)

        while True:
            open_ = [case for case in cases(known, settled, event) if case.key not in settled]
            ripe = [case for case in open_ if case.stands and (case.at_once or passed(case.told.due))]
            if not ripe:
                return min((case.told.due for case in open_ if not passed(case.told.due)), default=None)
            case = min(ripe, key=lambda each: each.told.due)
            settled[case.key] = case.told
            if not case.stale and now <= case.told.due + valid_for:
                said.append(case.told)

    def miss(at: int, event: Any) -> int | None:
        """Of an event that comes late nothing is told that was due by then; what is due later is."""
        count = len(said)
        wake = ask(at, event)
        del said[count:]
        return wake

    wake: int | None = None
    seen: set[str] = set()
    for at, event in arrivals:
        while wake is not None and wake < at:
            wake = ask(wake, None)
        if event.event_id in seen:
            continue
        seen.add(event.event_id)
        known.append(event)
        ts: int = event.ts
        if isinstance(event, listens):
            wake = ask(ts, event) if ts >= at - lateness else miss(at, event)
    while wake is not None and wake < FAR:
        wake = ask(wake, None)
    return sorted(said)
