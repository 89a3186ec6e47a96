"""Can caps and stop list keep what they promise, with what is remembered of each user?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from config.problem import Problem
from config.settings import Policy
from state.calendar import Duration
from state.contact import SENT_LIMIT
from state.replies import KEPT_FOR, THREADS_LIMIT, TOLD_LIMIT
from triggers.policy.frequency_cap import Cap
from triggers.trigger import RuleParams

_LONGEST = Duration(KEPT_FOR)


def cap_problems(policy: Policy, rules: Mapping[str, Any]) -> Iterator[Problem]:
    """Caps that could not be kept exactly, or on what does not exist."""
    cap = policy.frequency_cap
    if not 0 <= cap.marketing <= SENT_LIMIT:
        message = f"{cap.marketing} is not between 0 and {SENT_LIMIT}"
        yield Problem("policy.frequency_cap.marketing", message, "a user's last 20 messages are remembered")
    if cap.window <= 0:
        yield Problem("policy.frequency_cap.window", f"{cap.window} is not above zero")
    channels = {rule: _channels_of(params) for rule, params in rules.items()}
    known = set().union(*channels.values())
    for name, each in cap.caps.items():
        if each is not None:
            yield from _cap_problems(f"policy.frequency_cap.caps.{name}", each, rules, known)
    threads = sum(map(len, channels.values()))
    if cap.caps and threads > THREADS_LIMIT:
        message = f"needs {threads} channels of rules remembered, {THREADS_LIMIT} are"
        yield Problem("policy.frequency_cap.caps", message, "give the rules fewer channels")


def stop_problems(policy: Policy) -> Iterator[Problem]:
    """Times and numbers beyond what is remembered."""
    stop = policy.stop_list
    if not 0 <= stop.unanswered <= TOLD_LIMIT:
        message = f"{stop.unanswered} is not between 0 and {TOLD_LIMIT}"
        yield Problem("policy.stop_list.unanswered", message, f"{_REMEMBERED}; 0: nobody is stopped")
    for path, value in (
        ("policy.stop_list.answer_within", stop.answer_within),
        ("policy.stop_list.stopped_for", stop.stopped_for),
        ("policy.channel.habit_within", policy.channel.habit_within),
    ):
        if not 0 < value <= KEPT_FOR:
            message = f"{value} is not above zero and at most {_LONGEST}"
            yield Problem(path, message, "messages are remembered so long")


def cap_notes(policy: Policy, rules: Mapping[str, Any]) -> Iterator[str]:
    """What does nothing: a cap on what no cap counts, a channel that looks like a slip of the pen."""
    for name, cap in policy.frequency_cap.caps.items():
        for rule in () if cap is None else cap.rules:
            if rules[rule].transactional:
                yield f"policy.frequency_cap.caps.{name}: {rule} is transactional, so no cap counts it"
    known = set().union(*map(_channels_of, rules.values()))
    for path, names in (
        ("policy.stop_list.answer_channels", policy.stop_list.answer_channels),
        ("policy.channel.habits", policy.channel.habits),
    ):
        for name in names:
            close = difflib.get_close_matches(name, known, n=1)
            if close and name not in known:
                yield f"{path}: no rule has the channel {name!r}; did you mean {close[0]}?"


def _cap_problems(path: str, cap: Cap, rules: Mapping[str, Any], channels: set[str]) -> Iterator[Problem]:
    if not 0 <= cap.limit <= TOLD_LIMIT:
        yield Problem(f"{path}.limit", f"{cap.limit} is not between 0 and {TOLD_LIMIT}", _REMEMBERED)
    if (cap.window is None) == (cap.per is None):
        found = "has neither window nor per" if cap.window is None else "has both window and per"
        yield Problem(path, found, "write window: 7d (rolling), or per: day (of the calendar)")
    if cap.window is not None and not 0 < cap.window <= KEPT_FOR:
        message = f"{cap.window} is not above zero and at most {_LONGEST}"
        yield Problem(f"{path}.window", message, "messages are remembered so long")
    yield from _unknown(f"{path}.rules", cap.rules, rules, "there is no rule")
    yield from _unknown(f"{path}.channels", cap.channels, channels, "no rule has the channel")


def _unknown(path: str, names: Iterable[str], known: Iterable[str], message: str) -> Iterator[Problem]:
    for place, name in enumerate(names):
        if name not in known:
            close = difflib.get_close_matches(name, [*known], n=1)
            suggestion = f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known))}"
            yield Problem(f"{path}[{place}]", f"{message} {name!r}", suggestion)


def _channels_of(params: RuleParams) -> set[str]:
    """Where a rule may speak: its own channels, those of its steps, those of its patterns."""
    steps = getattr(params, "step_channels", ())
    declared = getattr(params, "patterns", {}).values()
    of_patterns = (each.channels for each in declared if each is not None)
    return set(params.channels).union(*steps, *of_patterns)


_REMEMBERED = f"so many messages of each rule on each channel are remembered: {TOLD_LIMIT}"
