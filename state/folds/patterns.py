"""What is an event in the patterns that an operator has declared? One that is no part of any is not asked about."""

from __future__ import annotations

from typing import Any

from state.patterns import Answered, Following, Match, Part, Patterns
from state.user import User


def follow(user: User, event: Any, parts: tuple[Part, ...], following: Following) -> None:
    """Note what the event opens, answers and ends; the cart knows it already."""
    own = user.own_patterns
    if own is not None and own.answered:
        own.answered = []
    for part in parts:
        of = part.of
        opened = part.opens(event) if part.opens is not None else ()
        answered = part.answers(event) if part.answers is not None else ()
        ended_at = -1 if of.by != "cart" or user.own_cart is None else user.own_cart.ended_at
        for key in (*answered, *(each for each in opened if each not in answered)) if answered else opened:
            patterns = user.patterns
            match = patterns.take(of, key, following.by_key, ended_at)
            if key in answered:
                _answer(patterns, match, part, key, event, opens_too=key in opened)
            elif event.ts > match.settled_at:
                match.open(event.ts, event.event_id, of)
                patterns.look_for_answer(match, of, key)
        if part.ends_cart and user.own_patterns is not None:
            for match in user.own_patterns.matches.get(of.key, {}).values():
                match.settle(ended_at, of)


def _answer(patterns: Patterns, match: Match, part: Part, key: str, event: Any, *, opens_too: bool) -> None:
    """A B; one that is an A too ends or answers those before it, and is remembered as an A only."""
    at, of = event.ts, part.of
    if of.negated:
        ends = not opens_too or match.waits_at(at, of)
        if ends:
            match.settle(at, of)
    else:
        anchor = match.answered_by(at, of)
        ends = anchor is not None
        if anchor is not None:
            patterns.answered.append(Answered(of.key, key, anchor[1], at))
            match.settle(at, of)
        elif not opens_too:
            match.remember_answer(at)
    if opens_too and (at > match.settled_at or (ends and at == match.settled_at)):
        match.open(at, event.event_id, of)
