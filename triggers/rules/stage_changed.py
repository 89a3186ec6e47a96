"""Who has just entered another stage of the customer's life?

Thresholds are those of `lifecycle` in the settings. `from` is null for the first stage known of a user.
This rule keeps the stage on record: switched off, stages are not remembered and nobody recovers slowly.
"""

from __future__ import annotations

from typing import Any, get_args

from state import events
from state.folding import FoldParams
from state.lifecycle import ASLEEP, next_change_at, stage_of
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import so, when

NAME = "stage_changed"
_VISITS = frozenset(get_args(events.Clickstream))


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing of its own."""


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, now = asked.user, asked.now
    lifecycle = user.lifecycle
    # Asked about an event that came out of order: the stage goes by what is already decided.
    stage = stage_of(user, user.decided_at, asked.fold.lifecycle)
    before = lifecycle.stage
    if stage == before:
        return None
    lifecycle.stage, lifecycle.since, lifecycle.recovery_days = stage, now, ()
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=f"{stage}@{now}" if asked.event is None else asked.event.event_id,
        at=now,
        reason=f"lifecycle stage changed from {before or 'none'} to {stage or 'none'}",
        fields={"from": before, "to": stage},
        offer=params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    return next_change_at(user, fold.lifecycle)


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    return None if asked.user.lifecycle.stage == candidate.fields["to"] else Reason.STALE


def concerns(user: User, event: Any) -> bool:
    """A visit can only wake a user who was asleep; it puts off what time will do, and time looks again."""
    if event.__class__ not in _VISITS:
        return True
    stage = user.lifecycle.stage
    return user.has_ordered if stage is None else stage in ASLEEP


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, fold, known = asked.user, asked.fold, asked.user.lifecycle
    stage = stage_of(user, user.decided_at, fold.lifecycle)
    since = "" if known.since is None else f" since {when(known.since)}"
    text = f"the stage is another than on record, {known.stage or 'none'}{since}: now {stage or 'none'}"
    return [so(stage != known.stage, text, next_change_at(user, fold.lifecycle))]


RULE = Rule(
    name=NAME,
    version=1,
    question="Who has just entered another stage of the customer's life?",
    params=Params,
    on=(
        *get_args(events.Clickstream),
        events.Registered,
        events.OrderPlaced,
        events.OrderPaid,
        events.OrderCancelled,
    ),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    catches_up=True,
    concerns=concerns,
    swayed_by=get_args(events.Clickstream),
    fields={"from": "the stage before, null if none was known", "to": "the stage now"},
)
