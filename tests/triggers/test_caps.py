"""Is nobody told more than the caps allow, or without consent, whatever happens?

The oracles read the whole history; beckon remembers a little of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state import events
from state.calendar import DAY, HOUR, MINUTE, Duration
from tests.state.history import START, happening
from tests.triggers.golden import plan_of, stanzas
from tests.triggers.lives import Lives, Step
from tests.triggers.shop import FOREVER, Shop
from triggers.catalog import RULES
from triggers.trigger import Decision, Publish, Suppress

_SEEDS = st.integers(0, 2**32)
_CHANNELS = ("app_push", "wechat", "sms", "email", "in_app")
EVERY: dict[str, dict[str, Any]] = {rule.name: {} for rule in RULES}
CAPS: dict[str, dict[str, Any]] = {
    "daily": {"limit": 1, "per": "day"},
    "talk": {"limit": 1, "window": "9d", "rules": ["checkin_streak", "share_reward", "cart_abandoned"]},
    "often": {"limit": 1, "window": "2d", "each": "rule"},
    "loud": {"limit": 1, "window": "20h", "each": "channel"},
    "letters": {"limit": 1, "window": "10d", "channels": ["email", "sms"]},
}
ALL_CAPS = {"marketing": {"limit": 4, "window": "7d"}, **CAPS}


def anything(seed: int, caps: dict[str, dict[str, Any]], marketing: int) -> Lives:
    """Every rule, every kind of event, caps of every kind."""
    cap = {"marketing": marketing, "window": "7d", "caps": caps}
    lives = Lives(
        plan_of(EVERY, {"frequency_cap": cap, "arbitration": {"window": ("0s", "60s")[seed % 2]}}), seed
    )
    chance = lives.chance
    for number in range(70):
        lives.ts += chance.choice((0, 1, MINUTE, HOUR, HOUR, 7 * HOUR, DAY))
        event = happening(chance, number, lives.ts, variety=3)
        if chance.random() < 0.2:
            channel, granted = chance.choice(_CHANNELS), chance.random() < 0.8
            event = events.ConsentChanged(
                event_id=f"c{number}", ts=lives.ts, user_id="", channel=channel, granted=granted
            )
        if isinstance(event, events.ProfileUpdated):
            event = replace(event, timezone="UTC")  # which day it is must not depend on when it is asked
        if isinstance(event, events.UserEvent):
            lives.read(replace(event, user_id=chance.choice(lives.living)))
        if chance.random() < 0.03:
            lives.link()
    lives.end()
    return lives


def decisions(lives: Lives) -> Iterator[tuple[Decision, list[Decision]]]:
    """Each decision about marketing, with all that was sent to that person before."""
    sent: list[Decision] = []
    for step in lives.log:
        if isinstance(step.what, Decision) and not stanzas()[step.what.candidate.rule]["transactional"]:
            yield step.what, [each for each in sent if each.candidate.user_id in step.person]
            if isinstance(step.what.outcome, Publish):
                sent.append(step.what)


def heard(cap: dict[str, Any], decision: Decision, channel: str | None, sent: list[Decision]) -> int:
    """How many of `sent` this cap counts with a message decided now, to go on this channel."""
    window = Duration.parse(cap["window"]) if "window" in cap else None
    rule, count = decision.candidate.rule, 0
    for each in sent:
        assert isinstance(each.outcome, Publish)
        spoke, on = each.candidate.rule, each.outcome.channel
        together = {"rule": spoke == rule, "channel": on == channel, None: True}[cap.get("each")]
        inside = each.at // DAY == decision.at // DAY if window is None else each.at > decision.at - window
        named = spoke in cap.get("rules", (spoke,)) and on in cap.get("channels", (on,))
        count += together and inside and named
    return count


def concerned(cap: dict[str, Any], rule: str, channel: str | None) -> bool:
    return rule in cap.get("rules", (rule,)) and channel in cap.get("channels", (channel,))


@given(_SEEDS)
def test_no_cap_is_ever_exceeded_and_none_refuses_what_it_has_room_for(seed: int) -> None:
    for decision, sent in decisions(anything(seed, CAPS, 4)):
        outcome = decision.outcome
        if isinstance(outcome, Publish):
            for name, cap in ALL_CAPS.items():
                if concerned(cap, decision.candidate.rule, outcome.channel):
                    assert heard(cap, decision, outcome.channel, sent) < cap["limit"], name
        elif isinstance(outcome, Suppress) and outcome.detail not in ("", "letters", "loud"):
            cap = ALL_CAPS[outcome.detail]
            assert heard(cap, decision, None, sent) >= cap["limit"]


@pytest.mark.parametrize("name", ALL_CAPS)
def test_without_it_each_of_these_caps_would_be_exceeded(name: str) -> None:
    assert any(
        isinstance(decision.outcome, Publish)
        and concerned(ALL_CAPS[name], decision.candidate.rule, decision.outcome.channel)
        and heard(ALL_CAPS[name], decision, decision.outcome.channel, sent) >= ALL_CAPS[name]["limit"]
        for seed in range(20)
        for decision, sent in decisions(anything(seed, {}, 20))
    )


@given(_SEEDS)
def test_nothing_is_said_without_consent(seed: int) -> None:
    said: list[Step] = []
    for step in anything(seed, CAPS, 4).log:
        if isinstance(step.what, events.ConsentChanged | events.Unsubscribed):
            said.append(step)
        elif isinstance(step.what, Decision) and isinstance(step.what.outcome, Publish):
            channel = step.what.outcome.channel
            words = [
                (each.what.ts, getattr(each.what, "granted", False))
                for each in said
                if each.what.channel == channel and each.what.user_id in step.person
            ]
            latest = {granted for ts, granted in words if ts == max(ts for ts, _ in words)}
            assert True in latest if words else channel in ("in_app", "service_task")


@pytest.mark.parametrize("how", [{}, {"channels": ["in_app"]}, {"each": "rule"}, {"each": "channel"}])
@pytest.mark.parametrize("period", [{"per": "day"}, {"window": "1h"}])
@pytest.mark.parametrize("limit", [0, 1, 2, 10])
def test_of_many_candidates_at_once_exactly_as_many_pass(
    how: dict[str, Any], period: dict[str, Any], limit: int
) -> None:
    cap = {"marketing": 20, "caps": {"one": {"limit": limit, **period, **how}}}
    rules = {"payment_pending": {"transactional": False, "channels": ["in_app"]}}
    shop, line = Shop(plan_of(rules, {"frequency_cap": cap})), events.Line(sku="k1", quantity=1)
    for number in range(30):
        name = f"o{number}"
        order = events.OrderPlaced(
            event_id=name, ts=START, user_id="u1", order_id=name, lines=(line,), total=1
        )
        shop.take(order, START)
    shop.advance(FOREVER)
    passed = sum(isinstance(d.outcome, Publish) for d in shop.decisions)
    assert (len(shop.decisions), passed) == (30, limit)
