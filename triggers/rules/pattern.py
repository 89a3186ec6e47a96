"""Who did one thing, and then another, or failed to?

What the two things are is declared in the configuration alone (docs/patterns.md). "A, then not B within T" speaks T
after the A that completes the count; while it waits, every further A starts T again, and B ends it. "A, then B within
T" speaks at B. There is no pattern unless somebody declares one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from state.calendar import in_words
from state.contact import Sent
from state.folding import FoldParams
from state.patterns import Followed
from state.user import User
from triggers.declared import EVENTS, Declared, followed, following, has_lines, touched
from triggers.pattern_flaws import Flaw, flaws_of
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import listed, nearest, so, time_is, when

NAME = "pattern"
CANDIDATES_LIMIT = 16  # at one moment; what else is due then is void


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`patterns` by name: after, then or then_not, within, by, and perhaps offer and channels; null: none."""

    patterns: dict[str, Declared | None]

    @staticmethod
    def flaws(written: Mapping[str, Any]) -> Iterator[Flaw]:
        """What types cannot say of the stanza as it is written."""
        return (flaw._replace(path=f"patterns.{flaw.path}") for flaw in flaws_of(written.get("patterns")))


def listens_to(params: Params) -> tuple[type, ...]:
    """What the patterns name, and what ends the cart that one goes by."""
    return tuple(following(params.patterns).parts)


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    patterns = asked.user.own_patterns
    if patterns is None:
        return None
    known = asked.fold.patterns.by_key
    if patterns.united:
        _look_again(asked)
        patterns.united = bool(patterns.answered)
    elif asked.event is None:
        patterns.answered = []  # by an event that came too late to be told of
    if patterns.answered:
        answered = patterns.answered.pop(0)
        of = known[answered.pattern]
        return _candidate(asked, params, of, answered.key, answered.anchor, answered.at)
    next_due = patterns.next_due(known)
    if next_due is None or not asked.passed(next_due):
        return None
    waiting = [each for each in patterns.waiting(known) if asked.passed(each[0])]
    waiting.sort(key=lambda each: (each[0], each[1].key, each[2]))
    for due, of, _, match in waiting[CANDIDATES_LIMIT:]:
        match.settle(due, of)
    due, of, key, match = waiting[0]
    anchor = match.marks[-1][1]
    match.settle(due, of)
    return _candidate(asked, params, of, key, anchor, due)


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    return None if user.own_patterns is None else user.own_patterns.next_due(fold.patterns.by_key)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    """Is it still declared so, and has B, or the end of the cart, not come meanwhile?"""
    name = candidate.fields["pattern"]
    of = asked.fold.patterns.by_key.get(f"{name}#{candidate.fields['definition']}")
    if of is None:
        return Reason.STALE
    patterns = asked.user.own_patterns
    match = None if patterns is None else patterns.find(of.key, _key(of, candidate))
    return Reason.STALE if of.negated and match is not None and match.settled_at > candidate.at else None


def refuted(user: User, event: object, sent: Sent, params: Params) -> bool:
    """Has the B that must not come, or the end of the cart, happened between A and the due time after all?"""
    name = sent.anchor.partition(":")[0]
    words = params.patterns.get(name)
    if words is None or words.then_not is None:
        return False
    of, at = followed(name, words), event.ts  # type: ignore[attr-defined]
    if not sent.due - of.within <= at <= sent.due:
        return False
    if of.by == "cart" and user.own_cart is not None and user.own_cart.ended_at == at:
        return True
    if event.__class__ is not EVENTS[words.then_not.event]:
        return False
    keys = touched(event.__class__, words.then_not.where, of.by)(event)
    if of.by == "sku":
        return any(sku in keys for sku in sent.skus)
    patterns = user.own_patterns
    if of.by == "order":  # which order it was of is known as long as the match is
        told = [None if patterns is None else patterns.find(of.key, key) for key in keys]
        return any(match is not None and match.settled_at == sent.due for match in told)
    return bool(keys)


def _look_again(asked: Asked) -> None:
    """Another id's matches have come: what do they make together?"""
    patterns, known = asked.user.patterns, asked.fold.patterns.by_key
    ended_at = -1 if asked.user.own_cart is None else asked.user.own_cart.ended_at
    for key in sorted(patterns.matches.keys() & known.keys()):
        of = known[key]
        for correlation, match in patterns.matches[key].items():
            if of.by == "cart":
                match.settle(ended_at, of)
            match.count_again(of)
            patterns.look_for_answer(match, of, correlation)


def _candidate(asked: Asked, params: Params, of: Followed, key: str, anchor: str, at: int) -> Candidate:
    words, (name, _, definition) = params.patterns[of.name], of.key.partition("#")
    assert words is not None, "what is followed is declared"
    fields = {"pattern": name, "definition": definition}
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=asked.user.user_id,
        step=1,
        anchor=f"{name}:{anchor}:{key}" if has_lines(words) else f"{name}:{anchor}",
        at=at,
        reason=_reason(words),
        skus=_skus(asked.user, of, key),
        fields=fields | {"order_id": key} if of.by == "order" else fields,
        offer=words.offer or params.offer,
        channels=words.channels,
    )


def _reason(words: Declared) -> str:
    after, waited = words.after, in_words(words.within)
    told = after.event if after.times == 1 else f"{after.event} {after.times} times"
    if after.times > 1 and after.within is not None:
        told += f" within {in_words(after.within)}"
    if words.then_not is not None:
        return f"{told}, then no {words.then_not.event} for {waited}"
    return f"{told}, then {words.answer.event} within {waited}"


def _skus(user: User, of: Followed, key: str) -> tuple[str, ...]:
    if of.by == "sku":
        return (key,)
    if of.by == "cart" and user.own_cart is not None:
        return tuple(user.own_cart.lines)
    order = user.own_orders.by_id.get(key) if of.by == "order" and user.own_orders is not None else None
    return () if order is None else tuple(order.skus)


def _key(of: Followed, candidate: Candidate) -> str:
    if of.by == "sku":
        return candidate.skus[0]
    return str(candidate.fields["order_id"]) if of.by == "order" else ""


def conditions(asked: Asked, params: Params) -> list[Condition]:
    patterns, known = asked.user.own_patterns, asked.fold.patterns.by_key
    if patterns is not None and patterns.answered and (asked.event is not None or patterns.united):
        answered = patterns.answered[0]
        return [so(True, f"a declared pattern has come about: {answered.pattern.partition('#')[0]}")]
    declared = [f"{name} ({_reason(words)})" for name, words in params.patterns.items() if words is not None]
    nothing = f"a declared pattern comes about: {listed(declared) or 'none is declared'}"
    groups = []
    for due, of, key, match in () if patterns is None else patterns.waiting(known):
        words, began = params.patterns[of.name], when(match.marks[-1][0])
        assert words is not None, "what is followed is declared"
        about = f" of {key}" if key else ""
        began = f"{of.name} is under way: {words.after.event}{about}, the last {began}"
        silence = f"no {words.answer.event} for {in_words(of.within)} from then on"
        groups.append([so(True, began), time_is(asked, due, silence)])
    return nearest(groups, nothing)


RULE = Rule(
    name=NAME,
    version=1,
    question="Who did one thing, and then another, or failed to?",
    params=Params,
    on=listens_to,
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    refuted_by=listens_to,
    refuted=refuted,
    fields={
        "pattern": "the name under which it is declared",
        "definition": "eight characters that change when the pattern does",
        "order_id": "the order, of a pattern `by: order`",
    },
)
