"""Who brought us a customer, or was brought, now that the first order is paid?

One trigger to each of the two, once for the two of them whatever comes after: the referee hears with the first order
that counts, the referrer by the letter that it writes. An order of before the referral earns nothing. Cancelling
or refunding that order, also in part, ends what is not sent yet.
"""

from __future__ import annotations

from typing import Any

from state import events
from state.contact import Sent
from state.folding import FoldParams
from state.letters import ReferralPaid, ReferralUndone, Referred
from state.referral import brought_at
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import counted, last_order, nearest, so, when

NAME = "referral_reward"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing of its own."""


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, event = asked.user, asked.event
    if isinstance(event, ReferralPaid) and user.contact.step_of(NAME, _anchor(event.referee_id)) == 0:
        return _candidate(user, "referrer", event.referee_id, event.referee_id, event.ts, params)
    due, ties = wake_at(user, params, asked.fold), user.ties
    if due is None or ties.referrer is None:
        return None
    ties.thanked = True
    return _candidate(user, "referee", user.user_id, ties.referrer, due, params)


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    """A referrer waits for a letter, a referee for nothing: this is now, or long ago."""
    return None if user.own_ties is None or user.own_ties.thanked else brought_at(user)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    user, role, other = asked.user, candidate.fields["role"], candidate.fields["other"]
    stands = brought_at(user) is not None if role == "referee" else other in user.ties.referees
    return None if stands else Reason.STALE


def refuted(user: User, event: Any, sent: Sent, params: Params) -> bool:
    """That first order had been taken back by then."""
    if isinstance(event, ReferralUndone):
        return sent.anchor == _anchor(event.referee_id) and event.referee_id not in user.ties.referees
    own = {_anchor(user_id) for user_id in (user.user_id, *user.ties.aliases)}
    return sent.anchor in own and brought_at(user) is None


def _candidate(user: User, role: str, referee: str, other: str, at: int, params: Params) -> Candidate:
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=_anchor(referee),
        at=at,
        reason="first order of a friend" if role == "referrer" else "first order after being referred",
        fields={"role": role, "other": other},
        offer=params.offer,
    )


def _anchor(referee: str) -> str:
    return f"referral:{referee}"


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, event, ties = asked.user, asked.event, asked.user.ties
    paid = isinstance(event, ReferralPaid)
    brought = f"the first order of a friend counts, just now: {counted(len(ties.referees), 'friend')} so far"
    untold = not paid or user.contact.step_of(NAME, _anchor(event.referee_id)) == 0
    referrer = [so(paid, brought), so(untold, "of this friend it has not been told")]
    if ties.referrer is None:
        return referrer
    counts = f"her first order counts since then and nothing of it was refunded: {last_order(user)}"
    referee = [
        so(True, f"she was brought by {ties.referrer}, {when(ties.referred_at)}"),
        so(brought_at(user) is not None, counts),
        so(not ties.thanked, "she has not been thanked for it"),
    ]
    return nearest([referee, referrer], brought)


RULE = Rule(
    name=NAME,
    version=1,
    question="Who brought us a customer, or was brought, now that the first order is paid?",
    params=Params,
    on=(
        events.OrderPlaced,
        events.OrderPaid,
        events.OrderCancelled,
        events.RefundIssued,
        Referred,
        ReferralPaid,
        ReferralUndone,
    ),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    catches_up=True,
    refuted_by=(events.OrderCancelled, events.RefundIssued, ReferralUndone),
    refuted=refuted,
    fields={"role": "`referrer` or `referee`: whom this is for", "other": "user id of the other one"},
)
