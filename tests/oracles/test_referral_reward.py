"""Are both told of a first paid order, once, and is nobody told of one that earns nothing?"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state import events
from state.calendar import DAY, HOUR
from state.letters import ReferralPaid, ReferralUndone, Referred
from tests.oracles.kit import Arrival, Told, scattered, told
from tests.oracles.orders_told import Known, story, tell
from tests.state.history import START, USER


def _letters(chance: Random, moments: list[int]) -> list[Any]:
    """Words of others, around the time of her own payments."""
    said: list[Any] = []
    for number in range(chance.randint(0, 6)):
        ts = chance.choice(moments) + chance.choice((-DAY, -1, 0, 1, HOUR))
        about: dict[str, Any] = {"event_id": f"l{number}", "ts": ts}
        said.append(
            chance.choice(
                (
                    *2 * [Referred(referrer=chance.choice(("r1", "r1", "r2", USER)), **about)],
                    ReferralPaid(referee_id=chance.choice(("f1", "f2")), **about),
                    ReferralUndone(referee_id=chance.choice(("f1", "f2")), **about),
                )
            )
        )
    return [
        events.Letter(event_id=each.event_id, ts=each.ts, to=USER, origin=USER, content=each) for each in said
    ]


def _first_at(known: dict[str, Known], referrals: list[tuple[int, str]]) -> int | None:
    """When she earned it, as things stand."""
    counted = [
        order
        for order in known.values()
        if order.paid_at is not None and order.placed_at is not None and not order.cancelled
    ]
    if not counted or not referrals:
        return None
    referred_at, referrer = min(referrals)
    first = min(counted, key=lambda order: order.paid_at or 0)
    earned = (first.paid_at or 0) >= referred_at and referrer != USER and first.refunds == 0
    return first.paid_at if earned else None


def _expected(arrivals: list[Arrival]) -> list[Told]:
    known: dict[str, Known] = {}
    referrals: list[tuple[int, str]] = []
    read: set[str] = set()
    spoken: dict[str, Told] = {}
    for _, event in arrivals:
        if event.event_id in read:
            continue
        read.add(event.event_id)
        word = getattr(event, "content", None)
        if isinstance(word, Referred):
            referrals.append((word.ts, word.referrer))
        elif isinstance(word, ReferralPaid):
            anchor = f"referral:{word.referee_id}"
            spoken.setdefault(anchor, Told(USER, 1, anchor, word.ts))
        elif word is None:
            tell(known, event)
        earned_at = _first_at(known, referrals)
        if earned_at is not None and not isinstance(event, events.OrderDelivered):
            spoken.setdefault(f"referral:{USER}", Told(USER, 1, f"referral:{USER}", earned_at))
    return list(spoken.values())


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_who_is_told_is_who_the_whole_history_says(seed: int) -> None:
    chance = Random(seed)
    orders = [
        replace(event, ts=event.ts + number)  # no two at once: which order was first?
        for number, event in enumerate(story(chance, chance.randint(0, 6), {"k1": None}))
    ]
    paid = [event.ts for event in orders if isinstance(event, events.OrderPaid)]
    letters = _letters(chance, paid or [START])
    arrivals = scattered(chance, orders)
    arrivals += [Arrival(each.ts + chance.choice((0, HOUR, 2 * DAY, 5 * DAY)), each) for each in letters]
    arrivals.sort(key=lambda arrival: arrival.at)
    params: dict[str, Any] = {"valid_for": "9999d"}
    assert sorted(told("referral_reward", params, arrivals)) == sorted(_expected(arrivals))
