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
from triggers.waiting import arm, goes_on, wait_no_longer, waiting_by


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


def pass_over(armed: Armed, asked: Asked, plan: Plan) -> list[Candidate]:
    """What a rule would have said of a late event by now (`asked.now`, how far time has come); and wait for the rest.

    Wake-ups due by now must have been made. What the rule waits for goes on by the stanza it began with, as ever.
    """
    if armed.rule.wake_at is None:
        return []
    begun = waiting_by(armed, asked.user, plan) if plan.continued else armed
    if armed.rule.catches_up:
        wait_no_longer(begun, asked, plan.fold)
        return []
    missed = _missed(begun, asked)
    if begun is not armed:
        if goes_on(begun, asked, plan.fold, more=False):
            return missed
        missed += _missed(armed, asked)
    arm(armed, asked, plan.fold, more=False)
    return missed


def _missed(armed: Armed, asked: Asked) -> list[Candidate]:
    missed: list[Candidate] = []
    while (candidate := armed.rule.evaluate(asked, armed.params)) is not None:
        asked.user.contact.remember(armed.rule.name, candidate.anchor, candidate.step, candidate.at)
        missed.append(candidate)
    return missed


def _kind_of(event: Any) -> str:
    tag: str = event.__struct_config__.tag
    return tag
