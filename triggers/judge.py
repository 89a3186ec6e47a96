"""What becomes of a candidate? Is it still so, do the gates let it pass, is it the best there is to say now?

A new candidate goes through all gates; arbitration makes it wait among them. Of those whose waiting is over, whatever
they waited for, one is said: the first by priority that passes. The others are recorded with the winner. A place in
caps and claims is taken with the decision, in the same state. What is in shadow takes none, waits for nobody to compete
with, and is not said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from state.contact import PENDING_LIMIT, Pending, Sent
from triggers.history import keep
from triggers.plan import Armed, Gates, Plan
from triggers.policy.channel import choose_channel
from triggers.policy.gate import Proposal
from triggers.policy.offers import need_of
from triggers.trigger import (
    Asked,
    Candidate,
    Claim,
    Decision,
    Defer,
    Outcome,
    Publish,
    Reason,
    Suppress,
)

TryClaim = Callable[[Claim, str], bool]


def judge(
    candidate: Candidate,
    armed: Armed,
    asked: Asked,
    plan: Plan,
    try_claim: TryClaim,
    decisions: list[Decision],
) -> None:
    """A rule has just come up with it."""
    proposal = _proposal(candidate, armed, asked, plan, waited=False)
    refusal: Suppress | Defer | None = _flaw(proposal, armed)
    if refusal is None:
        proposal, refusal = _through(plan.gates_of_shadow if armed.in_shadow else plan.gates, proposal)
    _settle(proposal, refusal, armed, plan, try_claim, decisions)


def release(
    due: Sequence[Pending], asked: Asked, plan: Plan, try_claim: TryClaim, decisions: list[Decision]
) -> None:
    """The time of these deferred candidates has come, all at once: the best one is said."""
    contest: list[tuple[Proposal, Armed]] = []
    for pending in due:
        candidate, armed = revive(pending, asked.user.user_id), plan.held(pending.rule, pending.stanza)
        if armed is None or armed.rule.version != pending.version or armed.in_shadow is not pending.shadow:
            decisions.append(record(candidate, Suppress(Reason.STALE), asked))
            continue
        proposal = _proposal(candidate, armed, asked, plan, waited=True)
        refusal: Suppress | Defer | None = _flaw(proposal, armed)
        if refusal is None:
            proposal, refusal = _through(plan.gates_before_arbitration, proposal)
        competes = plan.arbitrates and not armed.params.transactional and not armed.in_shadow
        if refusal is None and competes:
            contest.append((proposal, armed))
            continue
        if refusal is None:
            proposal, refusal = _through(plan.gates_after_arbitration, proposal)
        _settle(proposal, refusal, armed, plan, try_claim, decisions)
    _compete(contest, plan, try_claim, decisions)


def _compete(
    contest: list[tuple[Proposal, Armed]], plan: Plan, try_claim: TryClaim, decisions: list[Decision]
) -> None:
    """The first that nothing stands against wins; a ghost wins too, or the arms would differ by more than it."""
    contest.sort(key=lambda each: (-each[1].params.priority, _order(each[0].candidate)))
    winner: str | None = None
    for contender, armed in contest:
        if winner is not None:
            lost = Suppress(Reason.ARBITRATION, winner=winner)
            _settle(contender, lost, armed, plan, try_claim, decisions)
            continue
        proposal, refusal = _through(plan.gates_after_arbitration, contender)
        if _settle(proposal, refusal, armed, plan, try_claim, decisions):
            winner = proposal.candidate.id


def revive(pending: Pending, user_id: str) -> Candidate:
    """The candidate that was deferred, as it was."""
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


def record(candidate: Candidate, outcome: Outcome, asked: Asked) -> Decision:
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


def _proposal(candidate: Candidate, armed: Armed, asked: Asked, plan: Plan, *, waited: bool) -> Proposal:
    channel = choose_channel(asked, candidate, armed.params, plan.policy, gated=bool(plan.gates))
    return Proposal(asked, candidate, armed.params, channel, waited)


def _flaw(proposal: Proposal, armed: Armed) -> Suppress | None:
    """Is it still worth saying, and are the facts still so?"""
    asked, candidate = proposal.asked, proposal.candidate
    if asked.now > candidate.at + armed.params.valid_for:
        return Suppress(Reason.EXPIRED)
    stale = armed.rule.holds(asked, candidate, armed.params)
    return None if stale is None else Suppress(stale)


def _through(gates: Gates, proposal: Proposal) -> tuple[Proposal, Suppress | Defer | None]:
    """The proposal as the gates have made it, and the first refusal."""
    for gate, settings in gates:
        if gate.amend is not None:
            proposal = gate.amend(proposal, settings)
        if gate.refuse is not None:
            refusal = gate.refuse(proposal, settings)
            if refusal is not None:
                return proposal, refusal
    return proposal, None


def _settle(
    proposal: Proposal,
    refusal: Suppress | Defer | None,
    armed: Armed,
    plan: Plan,
    try_claim: TryClaim,
    decisions: list[Decision],
) -> bool:
    """Take the place, or wait, and record; True if it is said, or would be but for the hold-out."""
    candidate, asked = proposal.candidate, proposal.asked
    passed = refusal is None or (isinstance(refusal, Suppress) and refusal.reason is Reason.HOLDOUT)
    if passed and armed.in_shadow:
        passed, refusal = False, Suppress(Reason.SHADOW, channel=proposal.channel)
    if passed and candidate.claim is not None and not try_claim(candidate.claim, candidate.id):
        passed, refusal = False, Suppress(Reason.REACH)
    if isinstance(refusal, Defer) and not _keep(candidate, refusal, armed, plan, asked, decisions):
        refusal = Suppress(Reason.PENDING_FULL)
    if passed:
        _note(proposal, armed, ghost=refusal is not None)
    outcome = Publish(proposal.channel) if refusal is None else refusal
    inputs = {**inputs_of(asked), "stanza": armed.fingerprint}
    if isinstance(refusal, Suppress) and refusal.detail:
        inputs["detail"] = refusal.detail
    made = proposal.variant, proposal.offer_until
    decision = Decision(candidate, outcome, asked.now, inputs, *made, armed.number)
    decisions.append(keep(asked.user, decision))
    return passed


def _note(proposal: Proposal, armed: Armed, *, ghost: bool) -> None:
    """What the user has been told, and offered."""
    candidate, asked, contact = proposal.candidate, proposal.asked, proposal.asked.user.contact
    counts = not armed.params.transactional
    sent = Sent(candidate.id, candidate.rule, candidate.step, proposal.channel or "", asked.now, counts)
    sent.ghost, sent.offer, sent.variant = ghost, candidate.offer, proposal.variant
    if armed.rule.refuted is not None:
        sent.anchor, sent.due, sent.skus = candidate.anchor, candidate.at, list(candidate.skus)
        sent.instant, sent.stanza = asked.event is not None, armed.number
    contact.note_sent(sent)
    asked.user.replies.note(sent)
    if candidate.offer is not None and proposal.offer_until is not None:
        contact.note_offer(need_of(candidate, armed.params), candidate.offer, proposal.offer_until, asked.now)


def _keep(
    candidate: Candidate, deferral: Defer, armed: Armed, plan: Plan, asked: Asked, decisions: list[Decision]
) -> bool:
    """Let it wait. Where there is no room, what is of the least priority goes, perhaps itself; shadow has its own."""
    pending = asked.user.contact.pending
    waiting = [p for p in pending if p.shadow is armed.in_shadow]
    if len(waiting) >= PENDING_LIMIT:
        least = min(waiting, key=lambda p: (_priority(p, plan), -p.until, -p.at, p.rule, p.anchor, p.step))
        if _priority(least, plan) >= armed.params.priority:
            return False
        pending.remove(least)
        full = Suppress(Reason.PENDING_FULL)
        decisions.append(record(revive(least, candidate.user_id), full, asked))
    claim = candidate.claim
    pending.append(
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
            claim=None if claim is None else (claim.key, claim.sku, claim.limit),
            channels=list(candidate.channels),
            why=deferral.reason,
            stanza=armed.number,
            shadow=armed.in_shadow,
        )
    )
    return True


def _priority(pending: Pending, plan: Plan) -> int:
    armed = plan.held(pending.rule, pending.stanza)
    return -1 if armed is None else armed.params.priority


def _order(candidate: Candidate) -> tuple[int, str, str, int]:
    """Of equal priority, what was due first."""
    return candidate.at, candidate.rule, candidate.anchor, candidate.step
