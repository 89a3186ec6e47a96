"""Is who is stopped who has let enough messages of a rule pass, whoever of the person hears what, and when?

The oracle reads the whole history; beckon remembers a little of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state import events
from state.calendar import DAY, HOUR, MINUTE
from state.contact import Pending
from state.user import User
from tests.state.history import START
from tests.triggers.golden import plan_of
from tests.triggers.lives import Lives, Step
from tests.triggers.shop import FOREVER, Shop
from triggers.trigger import Decision, Publish, Reason, Suppress

_SEEDS = st.integers(0, 2**32)
STOP = {
    "unanswered": 2,
    "answer_within": "3d",
    "answer_channels": ["app_push", "email"],
    "stopped_for": "30d",
}


def let_pass(seed: int, ids: int = 3) -> Lives:
    """Two rules, ten occasions each at most, and what came back of the messages, also by another id."""
    rules: dict[str, dict[str, Any]] = {
        "cart_abandoned": {"second_delay": None, "channels": ["app_push", "sms"], "quiet_hours": "ignore"},
        "payment_pending": {"transactional": False, "channels": ["email", "app_push"]},
    }
    policy: dict[str, dict[str, Any]] = {
        "frequency_cap": {"marketing": 20, "window": "1ms"},
        "stop_list": STOP,
        "arbitration": {"window": ("0s", "60s")[seed % 2]},
    }
    lives, line = Lives(plan_of(rules, policy), seed, ids), events.Line(sku="k9", quantity=1)
    chance, occasions = lives.chance, {events.CartItemAdded: 10, events.OrderPlaced: 10}
    for user_id in lives.living:
        for channel in ("app_push", "email", "sms"):
            lives.read(_yes(user_id, channel, START))
    for number in range(60):
        lives.ts += chance.choice((0, MINUTE, HOUR, 2 * HOUR, DAY, 3 * DAY, 6 * DAY))
        user_id = chance.choice(lives.living)
        about: dict[str, Any] = {"event_id": f"e{number}", "ts": lives.ts, "user_id": user_id}
        kind: Any = chance.choice(
            (events.CartItemAdded, events.OrderPlaced, events.ConsentChanged)
            + 5 * (events.MessageDelivered,)
            + (chance.choice((events.MessageOpened, events.MessageClicked)),)
        )
        sent = [d.candidate for d in lives.shop.decisions if isinstance(d.outcome, Publish)]
        own = [each for each in sent if each.user_id in lives.persons[user_id]]
        others = [each for each in sent if each not in own][:8]
        known = chance.choice((own, own[-3:], own[-3:], own[-3:], others))
        name = chance.choice(known).id if known else "nobody's"
        if occasions.get(kind, 1) == 0:
            continue
        if kind in occasions:
            occasions[kind] -= 1
        if kind is events.CartItemAdded:
            lives.read(kind(**about, sku="k1", quantity=1, price=1))
        elif kind is events.OrderPlaced:
            thanks = name if chance.random() < 0.2 else None
            lives.read(kind(**about, order_id=f"o{number}", lines=(line,), total=1, trigger_id=thanks))
        elif kind is events.ConsentChanged:
            lives.read(_yes(user_id, "app_push", lives.ts))
        else:
            lives.read(kind(**about, trigger_id=name, channel="app_push"))
        if chance.random() < 0.03:
            lives.link()
    lives.end()
    return lives


def _yes(user_id: str, channel: str, ts: int) -> events.ConsentChanged:
    name = f"yes-{user_id}-{channel}-{ts}"
    return events.ConsentChanged(event_id=name, ts=ts, user_id=user_id, channel=channel, granted=True)


def is_stopped(decision: Decision, before: list[Step]) -> bool:
    """Has this person let the last two messages of the rule pass? From all that has ever happened."""
    sent: dict[str, Decision] = {}
    for step in before:
        if isinstance(step.what, Decision) and isinstance(step.what.outcome, Publish):
            sent[step.what.candidate.id] = step.what
    sent = {name: each for name, each in sent.items() if each.candidate.rule == decision.candidate.rule}
    signs = [step.what for step in before if getattr(step.what, "trigger_id", None) in sent]
    answers = [max(e.ts, sent[e.trigger_id].at) for e in signs if not isinstance(e, events.MessageDelivered)]
    since = max(answers, default=-1)
    delivered = {e.trigger_id for e in signs if isinstance(e, events.MessageDelivered)}
    row = [each for each in sent.values() if each.at > since]
    silent = [
        each
        for each in row
        if each.candidate.id in delivered
        and each.outcome.channel in STOP["answer_channels"]  # type: ignore[union-attr, operator]
        and each.at + 3 * DAY <= decision.at
    ]
    return len(silent) >= 2 and decision.at < max(each.at for each in row) + 30 * DAY


def stops(lives: Lives) -> Iterator[tuple[bool, bool]]:
    """Of each decision that came so far: was it stopped, and should it be?"""
    for place, step in enumerate(lives.log):
        if not isinstance(step.what, Decision):
            continue
        outcome = step.what.outcome
        if isinstance(outcome, Suppress) and outcome.reason in (Reason.STALE, Reason.EXPIRED):
            continue
        before = [each for each in lives.log[:place] if each.person <= step.person]
        if isinstance(outcome, Suppress) and outcome.reason == Reason.ARBITRATION:
            before = [each for each in before if not _said_at(each, step.what.at)]
        stopped = isinstance(outcome, Suppress) and outcome.reason == Reason.NON_RESPONDER
        yield stopped, is_stopped(step.what, before)


def _said_at(step: Step, at: int) -> bool:
    """Those who compete are all asked before one of them speaks."""
    return isinstance(step.what, Decision) and step.what.at == at


@given(_SEEDS)
def test_who_is_stopped_is_who_has_let_enough_pass(seed: int) -> None:
    for stopped, expected in stops(let_pass(seed)):
        assert stopped == expected


def test_some_are_stopped_and_some_speak_again() -> None:
    runs = [[stopped for stopped, _ in stops(let_pass(seed))] for seed in range(30)]
    assert sum(map(any, runs)) > 5
    assert any(True in run and False in run[run.index(True) :] for run in runs)


@given(_SEEDS, _SEEDS)
def test_who_is_stopped_does_not_depend_on_the_pace_of_reading(seed: int, pace: int) -> None:
    lives, chance = let_pass(seed, ids=1), Random(pace)
    hasty = Shop(lives.plan, eager=False)
    for step in lives.log:
        if not isinstance(step.what, Decision):
            hasty.take(step.what, step.what.ts)
            if chance.random() < 0.2:
                hasty.advance(step.what.ts)
    hasty.advance(FOREVER)
    assert _told(hasty) == _told(lives.shop)


def _told(shop: Shop) -> list[tuple[Any, ...]]:
    return [(d.candidate.user_id, d.candidate.id, d.at, d.outcome) for d in shop.decisions]


def test_an_order_may_be_an_answer_so_what_was_due_before_it_comes_before_it() -> None:
    user, line = User.new("u1"), events.Line(sku="k1", quantity=1)
    user.contact.pending = [Pending("share_reward", 1, "a", 0, HOUR, 1, [], {}, "", None, None, [])]
    plan = plan_of({"share_reward": {}}, {})
    about: dict[str, Any] = {"event_id": "e1", "order_id": "o1", "lines": (line,), "total": 1}
    assert plan.decides(user, events.OrderPlaced(**about, ts=HOUR + 1, trigger_id="t1"))
    assert not plan.decides(user, events.OrderPlaced(**about, ts=HOUR, trigger_id="t1"))
