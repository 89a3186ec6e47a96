"""Who has checked in day after day?

`length` days in a row, by the date where the user lives; told with the check-in that makes the row complete, also where
it comes out of order and fills a gap. A day belongs to one streak: fourteen days in a row are two streaks, and what is
added to one that was told does not tell it again.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from msgspec import Meta

from state import events
from state.folds.community import checkin_day
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import needs_event, so

NAME = "checkin_streak"
_EPOCH = date(1970, 1, 1)


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`length` in days, half of what a user's memory holds at most."""

    length: Annotated[int, Meta(ge=1, le=31)]


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user, event, length = asked.user, asked.event, params.length
    if event is None:
        return None
    first = user.community.streak(checkin_day(user, event.ts, asked.fold), length)
    if first is None:
        return None
    user.community.praise(first, length)
    first_day, last_day = _iso(first), _iso(first + length - 1)
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=user.user_id,
        step=1,
        anchor=first_day,
        at=event.ts,
        reason=f"checked in on {length} days in a row",
        fields={"days": length, "first_day": first_day, "last_day": last_day},
        offer=params.offer,
    )


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    """Nothing takes a check-in back."""
    return None


def _iso(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, community, length = asked.user, asked.user.community, params.length
    day = community.last_day if asked.event is None else checkin_day(user, asked.event.ts, asked.fold)
    row = next((n for n in range(length, 0, -1) if community.streak(day, n) is not None), 0)
    last = f" up to {_iso(day)}" if row else ""
    return [
        needs_event(asked, events.CheckedIn, "she checks in"),
        so(row == length, f"{length} days in a row of no streak that was told: {row}{last}"),
    ]


RULE = Rule(
    name=NAME,
    version=1,
    question="Who has checked in day after day?",
    params=Params,
    on=(events.CheckedIn,),
    evaluate=evaluate,
    holds=holds,
    conditions=conditions,
    fields={
        "days": "how many in a row",
        "first_day": "date of the first of them where the user lives",
        "last_day": "and of the last",
    },
)
