"""Whose points are about to expire?

Each lot is warned of at every step of `before` its expiry, as long as anything of it is left. A step that is due before
the lot was granted is left out: the user has just got the points. Of many lots due at one moment those with the most
points come first, 16 at once, the rest a millisecond later. A lot's id is its own for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from state import events
from state.calendar import Duration, in_words, iso
from state.contact import Sent
from state.folding import FoldParams
from state.points import Points
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import counted, so, time_is, when

NAME = "points_expiring"


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`before` the expiry of a lot, a step each, the longest first."""

    before: tuple[Duration, ...]

    def __post_init__(self) -> None:
        if (
            not self.before
            or list(self.before) != sorted({*self.before}, reverse=True)
            or self.before[-1] <= 0
        ):
            raise ValueError("before: durations above zero, the longest first, none twice, at least one")


class Step(NamedTuple):
    """A lot's next step; `spent` is less the more is left of the lot."""

    due: int
    spent: int
    lot_id: str
    number: int


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    points, now = _points(asked.user), asked.user.decided_at
    step = None if points is None else min(_steps(points, now, params), default=None)
    if points is None or step is None or not asked.passed(step.due):
        return None
    lot, left = points.lots[step.lot_id], -step.spent
    lot.told = step.number
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=asked.user.user_id,
        step=step.number,
        anchor=step.lot_id,
        at=step.due,
        reason=f"{left} points expire in {in_words(params.before[step.number - 1])}",
        fields={"points": left, "expires_at": iso(lot.expires_at), "balance": points.balance(now)},
        offer=params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    points, now = _points(user), user.decided_at
    if points is None:
        return None
    due = min((step.due for step in _steps(points, now, params)), default=None)
    if due is None or due > now or not _began(points, due, params):
        return due
    return now + 1  # more lots were due than are told at once


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    points = _points(asked.user)
    lot = None if points is None else points.lots.get(candidate.anchor)
    if points is None or lot is None or asked.now >= lot.expires_at:
        return Reason.STALE
    return None if points.left()[candidate.anchor] > 0 else Reason.STALE


def refuted(user: User, event: events.PointsSpent, sent: Sent, params: Params) -> bool:
    """A spend that came late had left nothing of the lot when it was warned of."""
    points = _points(user)
    return points is not None and points.left(sent.due).get(sent.anchor) == 0


def _points(user: User) -> Points | None:
    return None if user.own_membership is None else user.own_membership.own_points


def _steps(points: Points, now: int, params: Params) -> Iterator[Step]:
    """The next step of each lot that is neither spent nor expired."""
    left = points.left()
    for lot_id, lot in points.lots.items():
        if left[lot_id] == 0 or lot.expires_at <= now:
            continue
        for number, before in enumerate(params.before[lot.told :], start=lot.told + 1):
            if lot.expires_at - before >= lot.granted_at:
                yield Step(lot.expires_at - before, -left[lot_id], lot_id, number)
                break


def _began(points: Points, due: int, params: Params) -> bool:
    """Has a lot due at this moment been told, so that the wake-up for it is over?"""
    return any(
        0 < lot.told <= len(params.before) and lot.expires_at - params.before[lot.told - 1] == due
        for lot in points.lots.values()
    )


def conditions(asked: Asked, params: Params) -> list[Condition]:
    points, now = _points(asked.user), asked.user.decided_at
    step = None if points is None else min(_steps(points, now, params), default=None)
    if points is None or step is None:
        held = "none" if points is None else f"{points.balance(now)} in {counted(len(points.lots), 'lot')}"
        return [so(False, f"points are left of whose expiry a step is still to be told: {held}")]
    before = in_words(params.before[step.number - 1])
    return [
        so(True, f"points are left: {-step.spent} expire {when(points.lots[step.lot_id].expires_at)}"),
        time_is(asked, step.due, f"it is {before} before that: step {step.number}"),
    ]


RULE = Rule(
    name=NAME,
    version=1,
    question="Whose points are about to expire?",
    params=Params,
    on=(events.PointsGranted, events.PointsSpent),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    refuted_by=(events.PointsSpent,),
    refuted=refuted,
    fields={
        "points": "points left in the lot when this became due",
        "expires_at": "RFC 3339, when they expire",
        "balance": "all points of the user that have not expired, these among them",
    },
)
