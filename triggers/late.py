"""What follows from an event that comes too late? What was sent wrongly is taken back, what is due later is waited for.

Nothing is told at once: neither of the event nor of what was due before time had come so far as it was read. What
that is, is settled as if it had been told, so that of an episode the steps to come are told and no other.
"""

from __future__ import annotations

from typing import Any

from state.user import User
from triggers.history import keep
from triggers.plan import Armed, Plan
from triggers.trigger import Asked, Candidate, Decision, Retract
from triggers.waiting import disarm, wait, waiting_by


def retract(user: User, event: Any, plan: Plan, decisions: list[Decision]) -> None:
    """Take back what was sent though `event` had happened by then: at exactly the due time counts as before it."""
    kind = event.__class__
    for sent in user.contact.sent:
        armed = plan.held(sent.rule, sent.stanza)
        if (
            sent.due - sent.instant < event.ts
            or sent.retracted
            or sent.ghost
            or armed is None
            or armed.rule.refuted is None
        ):
            continue
        if kind in plan.refuted_by[sent.rule] and armed.rule.refuted(user, event, sent, armed.params):
            sent.retracted = True
            user.replies.retract(sent.id)
            candidate = Candidate(
                rule=sent.rule,
                version=armed.rule.version,
                user_id=user.user_id,
                step=sent.step,
                anchor=sent.anchor,
                at=event.ts,
                reason=f"{_kind_of(event)} had happened before it and came late",
                skus=tuple(sent.skus),
            )
            inputs = {"cause": event.event_id, "due": sent.due}
            taken_back = Decision(candidate, Retract(sent.id, sent.channel), event.ts, inputs)
            decisions.append(keep(user, taken_back))


def pass_over(newest: Armed, asked: Asked, plan: Plan) -> list[Candidate]:
    """What a rule would have said of a late event by now (`asked.now`, how far time has come); and wait for the rest.

    Wake-ups due by now must have been made. What has begun goes on by the stanza it began with.
    """
    armed = waiting_by(newest, asked.user, plan) if plan.continued else newest
    rule, user = armed.rule, asked.user
    if rule.wake_at is None:
        return []
    missed: list[Candidate] = []
    if not rule.catches_up:
        while (candidate := rule.evaluate(asked, armed.params)) is not None:
            user.contact.remember(rule.name, candidate.anchor, candidate.step, candidate.at)
            missed.append(candidate)
    at, known = rule.wake_at(user, armed.params, asked.fold), (user.own_wakes or {}).get(rule.name)
    if rule.catches_up:
        if at is not None and asked.now < at and (known is None or at < known):
            wait(armed, user, at)
    elif at is not None and not asked.passed(at):
        wait(armed, user, at)
    elif known is not None:
        disarm(user, rule.name)
    return missed


def _kind_of(event: Any) -> str:
    tag: str = event.__struct_config__.tag
    return tag
