"""What follows from this event, or from this moment, for this user? fold -> rules -> policy (judge.py) -> record.

Pure: the caller says what time it is, answers for stock facts, and keeps the claims. A wake-up is
`event=None`. Decisions come back in the order in which they were made; the user has already changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from state.contact import Pending
from state.fold import apply
from state.folding import DUPLICATE, Applied
from state.user import User
from triggers.judge import TryClaim, judge, record, release, revive
from triggers.late import pass_over, retract
from triggers.plan import Armed, Plan
from triggers.trigger import Asked, Candidate, Decision, Facts, Reason, Suppress

CANDIDATES_PER_ASK_LIMIT = 16  # of one rule, for one user, at one moment


def on_event(
    user: User,
    event: Any,
    plan: Plan,
    facts: Facts,
    try_claim: TryClaim,
    decisions: list[Decision],
    *,
    late_at: int | None,
) -> Applied:
    """Fold `event` and ask the rules that listen to it.

    `late_at`: the event has come too late, as time had come so far; then nothing is said of it or of what was due
    before that (triggers/late.py). Wake-ups due before `event.ts`, or `late_at`, must have been made (`wake`).
    """
    applied = apply(user, event, plan.fold)
    if applied is DUPLICATE:
        return applied
    if event.__class__ in plan.refuting and user.own_contact is not None:
        retract(user, event, plan, decisions)
    armed = plan.listeners(user, event) if event.__class__ in plan.by_event else None
    if armed and late_at is not None:
        _come_late(armed, Asked(user, event, max(event.ts, late_at), facts, plan.fold), decisions)
    elif armed:
        asked = Asked(user, event, event.ts, facts, plan.fold)
        user.decided_at = max(user.decided_at, event.ts)
        for each in armed:
            _ask(each, asked, plan, try_claim, decisions)
        _reschedule(user)
    return applied


def _come_late(armed: Sequence[Armed], asked: Asked, decisions: list[Decision]) -> None:
    user, over = asked.user, Suppress(Reason.LATE_EVENT)
    user.decided_at = max(user.decided_at, asked.now)
    for each in armed:
        decisions += [record(missed, over, asked) for missed in pass_over(each, asked)]
    _reschedule(user)


def wake(
    user: User, now: int, plan: Plan, facts: Facts, try_claim: TryClaim, decisions: list[Decision]
) -> None:
    """Do what is due at `now` (the user's due time): release deferred candidates, ask the rules that asked to be."""
    asked = Asked(user, None, now, facts, plan.fold)
    user.decided_at = max(user.decided_at, now)
    due = [p for p in user.pending if p.until <= now]
    if due:
        user.contact.pending = [p for p in user.contact.pending if p.until > now]
        release(due, asked, plan, try_claim, decisions)
    woken = [name for name, at in user.wakes.items() if at <= now]
    for name in woken:
        del user.wakes[name]  # a rule switched off since has no other way out
    for name, armed in plan.armed.items():
        if name in woken:
            _ask(armed, asked, plan, try_claim, decisions)
    _reschedule(user)


def on_union(
    user: User,
    dropped: Sequence[Pending],
    now: int,
    plan: Plan,
    facts: Facts,
    try_claim: TryClaim,
    decisions: list[Decision],
) -> None:
    """Another id's state has come to this user: what is due, and when, is asked anew.

    `dropped`: deferred candidates of both there is no room for.
    """
    user.decided_at = max(user.decided_at, now)
    asked = Asked(user, None, user.decided_at, facts, plan.fold)
    full = Suppress(Reason.PENDING_FULL)
    decisions += [record(revive(pending, user.user_id), full, asked) for pending in dropped]
    for armed in plan.armed.values():
        if armed.rule.wake_at is not None:
            _ask(armed, asked, plan, try_claim, decisions)
    _reschedule(user)


def _ask(armed: Armed, asked: Asked, plan: Plan, try_claim: TryClaim, decisions: list[Decision]) -> None:
    rule, params, user = armed.rule, armed.params, asked.user
    candidate: Candidate | None = None
    for _ in range(CANDIDATES_PER_ASK_LIMIT):
        candidate = rule.evaluate(asked, params)
        if candidate is None:
            break
        user.contact.remember(rule.name, candidate.anchor, candidate.step, candidate.at)
        judge(candidate, armed, asked, plan, try_claim, decisions)
    if rule.wake_at is not None:
        at = rule.wake_at(user, params, plan.fold)
        if at is not None and candidate is not None:
            at = max(at, asked.now + 1)  # too many for one moment: the rest in the next
        if at is not None and not asked.passed(at):
            user.wakes[rule.name] = at
        elif user.own_wakes:
            user.own_wakes.pop(rule.name, None)


def _reschedule(user: User) -> None:
    due = min(user.own_wakes.values(), default=None) if user.own_wakes else None
    for pending in user.pending:
        if due is None or pending.until < due:
            due = pending.until
    user.due = due
