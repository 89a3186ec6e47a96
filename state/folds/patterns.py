"""What is an event in the patterns that an operator has declared? One that is no part of any is not asked about."""

from __future__ import annotations

from typing import Any

from state.patterns import MATCHES_PER_PATTERN_LIMIT, Answered, Followed, Following, Match, Part, Patterns
from state.user import User


def follow(user: User, event: Any, parts: tuple[Part, ...], following: Following) -> None:
    """Note what the event opens, answers and ends; the cart knows it already."""
    own = user.own_patterns
    if own is not None and own.answered:
        own.answered = []
    for part in parts:
        of = part.of
        opened = () if part.opens is None else part.opens(event)
        answered = () if part.answers is None else part.answers(event)
        ended_at = -1 if of.by != "cart" or user.own_cart is None else user.own_cart.ended_at
        keys = (*answered, *(key for key in opened if key not in answered)) if answered else opened
        if len(keys) > MATCHES_PER_PATTERN_LIMIT:
            keys = _some(user.patterns, of, keys)
        for key in keys:
            patterns = user.patterns
            match = patterns.take(of, key, following.by_key, ended_at)
            opens = key in opened
            over = key in answered and _answer(patterns, match, part, key, event, opens_too=opens)
            if opens and (event.ts > match.settled_at or (over and event.ts == match.settled_at)):
                match.open(event.ts, event.event_id, of)
                if match.answers:
                    patterns.look_for_answer(match, of, key)
        if part.ends_cart and user.own_patterns is not None:
            for match in user.own_patterns.matches.get(of.key, {}).values():
                match.settle(ended_at, of)


def _some(patterns: Patterns, of: Followed, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Of a wholesale order what is under way already, and of the rest as much as there may be room for."""
    known = patterns.matches.get(of.key, {})
    rest = [key for key in keys if key not in known]
    return (*(key for key in keys if key in known), *rest[:MATCHES_PER_PATTERN_LIMIT])


def _answer(patterns: Patterns, match: Match, part: Part, key: str, event: Any, *, opens_too: bool) -> bool:
    """A B: does it end or answer the A's before it? One that is an A too is remembered as an A only."""
    at, of = event.ts, part.of
    if of.negated:
        if opens_too and not match.waits_at(at, of):
            return False
        match.settle(at, of)
        return True
    anchor = match.answered_by(at, of)
    if anchor is not None:
        patterns.answered.append(Answered(of.key, key, anchor[1], at))
        match.settle(at, of)
        return True
    if not opens_too:
        match.remember_answer(at)
    return False
