"""Whose RFM segment or group is another one now?

Segments go by `rfm` in the settings: thresholds or scores (state/segments.py). A change is told `settle_for` after it
came about if it has stood all the while, so nobody flaps between two segments; `from` is what was told before, null for
the first. By scores of the population a change is found within a day, as others may bring it about. As every group is
made of segments, a change of group is one of segment too.
"""

from __future__ import annotations

from typing import Any

from state import events
from state.calendar import Duration, earliest, in_words
from state.folding import FoldParams
from state.segments import flags_of, group_of, next_change_at, segment_name
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import so, when

NAME = "segment_changed"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`settle_for`: a change must stand for so long."""

    settle_for: Duration


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, fold = asked.user, asked.fold
    # Asked about an event that came out of order: the segment goes by what is already decided.
    now = user.decided_at
    flags = flags_of(user, now, fold.segments, fold.days)
    known = user.own_standing
    if flags == (None if known is None else known.flags):
        if known is not None:
            known.settle()
        return None
    known = user.standing
    if known.since is None or flags != known.coming:
        known.coming, known.since = flags, now
        known.anchor = f"{flags}@{now}" if asked.event is None else asked.event.event_id
    due = known.since + params.settle_for
    if not asked.passed(due):
        return None
    before, anchor = known.flags, known.anchor
    known.flags = flags
    known.settle()
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=anchor,
        at=due,
        reason=f"segment changed from {segment_name(before) or 'none'} to {segment_name(flags) or 'none'}"
        f" {in_words(params.settle_for)} ago",
        fields={
            "from": segment_name(before),
            "to": segment_name(flags),
            "from_group": group_of(before),
            "to_group": group_of(flags),
            "flags": flags,
        },
        offer=params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    known = user.own_standing
    settled = None if known is None or known.since is None else known.since + params.settle_for
    return earliest(settled, next_change_at(user, fold.segments, fold.days))


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    """As long as nothing newer has been told."""
    return None if asked.user.standing.flags == candidate.fields["flags"] else Reason.STALE


def concerns(user: User, event: Any) -> bool:
    """A session changes nothing; it finds customers from before the rule, and those changed by what came late."""
    return event.__class__ is not events.SessionStarted or (
        user.has_ordered and NAME not in (user.own_wakes or ())
    )


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, fold, now = asked.user, asked.fold, asked.user.decided_at
    flags, known = flags_of(user, now, fold.segments, fold.days), user.standing
    changes_at = next_change_at(user, fold.segments, fold.days)
    names = f"{segment_name(known.flags) or 'none'}: now {segment_name(flags) or 'none'}"
    if flags is not None and fold.segments.cuts_at(now) is not None:
        names += " by scores, which others may change"
    differs = so(flags != known.flags, f"the segment is another than the one told, {names}", changes_at)
    if not differs.met:
        return [differs]
    since = now if known.since is None or flags != known.coming else known.since
    due = since + params.settle_for
    stood = f"it has stood for {in_words(params.settle_for)}, since {when(since)}"
    return [differs, so(asked.passed(due), stood, earliest(due, changes_at))]


RULE = Rule(
    name=NAME,
    version=1,
    question="Whose RFM segment or group is another one now?",
    params=Params,
    on=(
        events.OrderPlaced,
        events.OrderPaid,
        events.OrderCancelled,
        events.RefundIssued,
        events.SessionStarted,
    ),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    concerns=concerns,
    swayed_by=(events.SessionStarted,),
    fields={
        "from": "the segment told before, null if none was",
        "to": "the segment now, null when no order counts any more",
        "from_group": "the group told before: core, potential, wakeup or null",
        "to_group": "the group now",
        "flags": "R, F and M of the segment now as three digits, 1 is better; null as `to`",
    },
)
