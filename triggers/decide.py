"""What follows from this event, or from this moment, for this user? fold -> rules -> policy -> record.

Pure: the caller says what time it is, answers for stock facts, and keeps the claims. A wake-up is
`event=None`. Decisions come back in the order in which they were made; the user has already changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from state.contact import PENDING_LIMIT, Pending, Sent
from state.fold import apply
from state.folding import DUPLICATE, Applied
from state.user import User
from triggers.history import keep
from triggers.plan import Armed, Plan
from triggers.policy.channel import choose_channel
from triggers.policy.gate import Proposal
from triggers.trigger import (
    Asked,
    Candidate,
    Claim,
    Decision,
    Defer,
    Facts,
    Outcome,
    Publish,
    Reason,
    Retract,
    Suppress,
)

CANDIDATES_PER_ASK_LIMIT = 16  # of one rule, for one user, at one moment

TryClaim = Callable[[Claim, str], bool]


def on_event(
    user: User,
    event: Any,
    plan: Plan,
    facts: Facts,
    try_claim: TryClaim,
    decisions: list[Decision],
    *,
    late: bool,
) -> Applied:
    """Fold `event` and ask the rules that listen to it. A `late` event updates state and fires nothing, but may
    show that something sent was wrong.

    Wake-ups due before `event.ts` must have been made already (`wake`).
    """
    applied = apply(user, event, plan.fold)
    if applied is DUPLICATE:
        return applied
    if event.__class__ in plan.refuting and user.own_contact is not None:
        _retract(user, event, plan, decisions)
    if late:
        return applied
    armed = plan.listeners(user, event) if event.__class__ in plan.by_event else None
    if armed:
        asked = Asked(user, event, event.ts, facts, plan.fold)
        user.decided_at = max(user.decided_at, event.ts)
        for each in armed:
            _ask(each, asked, plan, try_claim, decisions)
        _reschedule(user)
    return applied


def wake(
    user: User, now: int, plan: Plan, facts: Facts, try_claim: TryClaim, decisions: list[Decision]
) -> None:
    """Do what is due at `now` (the user's due time): release deferred candidates, ask the rules that asked to be."""
    asked = Asked(user, None, now, facts, plan.fold)
    user.decided_at = max(user.decided_at, now)
    due = [p for p in user.pending if p.until <= now]
    if due:
        user.contact.pending = [p for p in user.contact.pending if p.until > now]
        for pending in due:
            _release(pending, asked, plan, try_claim, decisions)
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
    decisions += [_record(_revive(pending, user.user_id), full, asked) for pending in dropped]
    for armed in plan.armed.values():
        if armed.rule.wake_at is not None:
            _ask(armed, asked, plan, try_claim, decisions)
    _reschedule(user)


def _retract(user: User, event: Any, plan: Plan, decisions: list[Decision]) -> None:
    """Take back what was sent though `event` had happened by then: at exactly the due time counts as before it."""
    kind = event.__class__
    for sent in user.contact.sent:
        armed = plan.armed.get(sent.rule)
        if (
            sent.due - sent.instant < event.ts
            or sent.retracted
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


def _kind_of(event: Any) -> str:
    tag: str = event.__struct_config__.tag
    return tag


def _ask(armed: Armed, asked: Asked, plan: Plan, try_claim: TryClaim, decisions: list[Decision]) -> None:
    rule, params, user = armed.rule, armed.params, asked.user
    candidate: Candidate | None = None
    for _ in range(CANDIDATES_PER_ASK_LIMIT):
        candidate = rule.evaluate(asked, params)
        if candidate is None:
            break
        user.contact.remember(rule.name, candidate.anchor, candidate.step, candidate.at)
        decisions.append(_decide(candidate, armed, asked, plan, try_claim))
    if rule.wake_at is not None:
        at = rule.wake_at(user, params, plan.fold)
        if at is not None and candidate is not None:
            at = max(at, asked.now + 1)  # too many for one moment: the rest in the next
        if at is not None and not asked.passed(at):
            user.wakes[rule.name] = at
        elif user.own_wakes:
            user.own_wakes.pop(rule.name, None)


def _release(
    pending: Pending, asked: Asked, plan: Plan, try_claim: TryClaim, decisions: list[Decision]
) -> None:
    """A deferral is over: does the rule still stand as it was?"""
    armed = plan.armed.get(pending.rule)
    candidate = _revive(pending, asked.user.user_id)
    if armed is None or armed.rule.version != pending.version:
        decisions.append(_record(candidate, Suppress(Reason.STALE), asked))
    else:
        decisions.append(_decide(candidate, armed, asked, plan, try_claim))


def _decide(candidate: Candidate, armed: Armed, asked: Asked, plan: Plan, try_claim: TryClaim) -> Decision:
    """At the moment of sending: is it still worth saying, are the facts still so, do the gates let it pass?"""
    if asked.now > candidate.at + armed.params.valid_for:
        return _record(candidate, Suppress(Reason.EXPIRED), asked)
    stale = armed.rule.holds(asked, candidate, armed.params)
    if stale is not None:
        return _record(candidate, Suppress(stale), asked)
    return _judge(candidate, armed, asked, plan, try_claim)


def _judge(candidate: Candidate, armed: Armed, asked: Asked, plan: Plan, try_claim: TryClaim) -> Decision:
    """Ask the gates; reserve the slot with the decision, in the same state."""
    user, params = asked.user, armed.params
    consent = plan.policy.get("consent") if plan.gates else None
    channel = choose_channel(user, candidate.channels or params.channels, consent)
    outcome: Outcome = Publish(channel)
    proposal = Proposal(asked, candidate, params, channel)
    for gate, settings in plan.gates:
        refusal = gate.refuse(proposal, settings)
        if refusal is not None:
            outcome = refusal
            break
    if isinstance(outcome, Defer) and not _keep(candidate, outcome, user):
        outcome = Suppress(Reason.PENDING_FULL)
    if isinstance(outcome, Publish):
        if candidate.claim is not None and not try_claim(candidate.claim, candidate.id):
            outcome = Suppress(Reason.REACH)
        else:
            counts = not params.transactional
            sent = Sent(candidate.id, candidate.rule, candidate.step, channel or "", asked.now, counts)
            if armed.rule.refuted is not None:
                sent.anchor, sent.due, sent.skus = candidate.anchor, candidate.at, list(candidate.skus)
                sent.instant = asked.event is not None
            user.contact.note_sent(sent)
    return _record(candidate, outcome, asked)


def _keep(candidate: Candidate, deferral: Defer, user: User) -> bool:
    if len(user.contact.pending) >= PENDING_LIMIT:
        return False
    user.contact.pending.append(
        Pending(
            rule=candidate.rule,
            step=candidate.step,
            anchor=candidate.anchor,
            at=candidate.at,
            until=deferral.until,
            version=candidate.version,
            skus=list(candidate.skus),
            fields=dict(candidate.fields),
            reason=candidate.reason,
            offer=candidate.offer,
            claim=None
            if candidate.claim is None
            else (candidate.claim.key, candidate.claim.sku, candidate.claim.limit),
            channels=list(candidate.channels),
        )
    )
    return True


def _revive(pending: Pending, user_id: str) -> Candidate:
    return Candidate(
        rule=pending.rule,
        version=pending.version,
        user_id=user_id,
        step=pending.step,
        anchor=pending.anchor,
        at=pending.at,
        reason=pending.reason,
        skus=tuple(pending.skus),
        fields=pending.fields,
        offer=pending.offer,
        claim=None if pending.claim is None else Claim(*pending.claim),
        channels=tuple(pending.channels),
    )


def _record(candidate: Candidate, outcome: Outcome, asked: Asked) -> Decision:
    return keep(asked.user, Decision(candidate, outcome, asked.now, inputs_of(asked)))


def inputs_of(asked: Asked) -> dict[str, Any]:
    """What the decision rested on, small enough to keep with it."""
    user = asked.user
    return {
        "cause": "time" if asked.event is None else asked.event.event_id,
        "stage": user.lifecycle.stage,
        "orders": user.rfm.orders,
        "last_order_at": user.rfm.last_order_at,
        "last_seen_at": user.last_seen_at,
    }


def _reschedule(user: User) -> None:
    due = min(user.own_wakes.values(), default=None) if user.own_wakes else None
    for pending in user.pending:
        if due is None or pending.until < due:
            due = pending.until
    user.due = due
