"""Is every rung told once, as counting all shares again at each of them shows?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import DAY, MINUTE
from tests.oracles.kit import Arrival, Told, scattered, told

SHARES, LIKES = (3, 5, 9), (4, 10)


def histories(chance: Random) -> list[Any]:
    ts = 1_780_000_000_000
    history: list[Any] = []
    for number in range(chance.randint(0, 20)):
        ts += chance.choice((0, 1, 5 * MINUTE, DAY))
        history.append(
            events.ContentShared(
                event_id=f"e{number}",
                ts=ts,
                user_id="u1",
                target=f"t{chance.randrange(3)}",
                likes=chance.choice((None, 0, 3, 4, 9, 10, 40)),
            )
        )
    return history


def expected(arrivals: list[Arrival], lateness: int) -> list[Told]:
    known: list[Any] = []
    said: list[Told] = []
    for at, event in arrivals:
        if event in known:
            continue
        known.append(event)
        if event.ts < at - lateness:
            continue
        ladders = [("shares", SHARES, len(known)), (f"likes:{event.target}", LIKES, event.likes or 0)]
        for name, ladder, count in ladders:
            passed = [rung for rung in ladder if count >= rung]
            told_already = [rung for rung in ladder if any(t.anchor == f"{name}:{rung}" for t in said)]
            if passed and max(passed) > max(told_already, default=0):
                said.append(Told("u1", 1, f"{name}:{max(passed)}", event.ts))
    return said


@given(st.integers(0, 2**32), st.sampled_from((10 * MINUTE, 60 * MINUTE)))
def test_every_rung_is_told_once_and_of_several_the_highest(seed: int, lateness: int) -> None:
    chance = Random(seed)
    arrivals = scattered(chance, histories(chance))
    params = {"share_ladder": SHARES, "like_ladder": LIKES}
    assert told("share_reward", params, arrivals, lateness=lateness) == expected(arrivals, lateness)
