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
from triggers.trigger import Asked, Decision, Facts, Reason, Suppress
from triggers.waiting import arm, disarm, goes_on, waiting_by

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
        _come_late(armed, Asked(user, event, max(event.ts, late_at), facts, plan.fold), plan, decisions)
    elif armed:
        asked = Asked(user, event, event.ts, facts, plan.fold)
        user.decided_at = max(user.decided_at, event.ts)
        for each in armed:
            _ask(each, asked, plan, try_claim, decisions)
        _reschedule(user)
    return applied


def _come_late(armed: Sequence[Armed], asked: Asked, plan: Plan, decisions: list[Decision]) -> None:
    user, over = asked.user, Suppress(Reason.LATE_EVENT)
    user.decided_at = max(user.decided_at, asked.now)
    for each in armed:
        decisions += [record(missed, over, asked) for missed in pass_over(each, asked, plan)]
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
    for name, armed in plan.armed.items():
        if name in woken:
            _ask(armed, asked, plan, try_claim, decisions)
    for name in woken:
        if user.wakes.get(name, now + 1) <= now:  # a rule switched off since has no other way out
            disarm(user, name)
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
    """What the rule waits for at this user goes on by the stanza it began with; what comes after it, by the newest."""
    if plan.continued:
        begun = waiting_by(armed, asked.user, plan)
        if begun is not armed:
            more = _evaluate(begun, asked, plan, try_claim, decisions)
            if goes_on(begun, asked, plan.fold, more=more):
                return
    more = _evaluate(armed, asked, plan, try_claim, decisions)
    if armed.rule.wake_at is not None:
        arm(armed, asked, plan.fold, more=more)


def _evaluate(armed: Armed, asked: Asked, plan: Plan, try_claim: TryClaim, decisions: list[Decision]) -> bool:
    """Take what is due; True if there may be more than one moment allows."""
    for _ in range(CANDIDATES_PER_ASK_LIMIT):
        candidate = armed.rule.evaluate(asked, armed.params)
        if candidate is None:
            return False
        asked.user.contact.remember(armed.rule.name, candidate.anchor, candidate.step, candidate.at)
        judge(candidate, armed, asked, plan, try_claim, decisions)
    return True


def _reschedule(user: User) -> None:
    due = min(user.own_wakes.values(), default=None) if user.own_wakes else None
    for pending in user.pending:
        if due is None or pending.until < due:
            due = pending.until
    user.due = due
