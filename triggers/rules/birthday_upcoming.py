"""Whose birthday, her own or a child's, is near?

`before` the day at `at_time`, where the user lives. 29 February is the 28th in other years. A birthday learned later
than that is told at once if the day is still to come, by local date. One message a date, whoever is born on it: the
anchor is the date, so neither twins nor a birthday corrected and told again make two. Who has not been seen for
`seen_within` is let alone, and so is forgotten in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

from state import events
from state.almanac import day_of_year
from state.calendar import DAY, Duration, in_words
from state.folding import FoldParams
from state.local_time import ClockTime, date_at, moment, zone_of
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import nearest, so, time_is, when

NAME = "birthday_upcoming"
BEFORE_LIMIT = (
    7 * DAY
)  # so that of the dates that are near no more can be told than a rule's 8 episodes remember


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`before`, in whole days, at `at_time` (HH:MM) in the user's time zone, else in `zone`."""

    before: Duration
    at_time: ClockTime
    zone: str
    seen_within: Duration

    def __post_init__(self) -> None:
        if self.before % DAY or not DAY <= self.before <= BEFORE_LIMIT:
            raise ValueError(
                f"before {self.before} is not a number of days from 1d to {BEFORE_LIMIT // DAY}d"
            )


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user = asked.user
    if not _knows_any(user):
        return None
    zone = zone_of(user.contact.timezone, params.zone)
    today = date_at(asked.now, zone)
    for day in sorted({birthday for _, birthday, _ in _next_birthdays(user, today)}):
        due = _due(day, params, zone)
        if not asked.passed(due):
            return None
        if user.contact.step_of(NAME, day.isoformat()) == 0:
            return _candidate(asked, params, day, due)
    return None


def _candidate(asked: Asked, params: Params, day: date, due: int) -> Candidate:
    born = _born_on(asked.user, day)
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=asked.user.user_id,
        step=1,
        anchor=day.isoformat(),
        at=due if asked.event is None else asked.now,
        reason=f"{' and '.join(sorted({_WORDS[who] for who, _ in born}))} on {day.isoformat()}",
        fields={
            "date": day.isoformat(),
            "whose": [who for who, _ in born],
            "turning": [age for _, age in born],
        },
        offer=params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    if not _knows_any(user):
        return None
    zone = zone_of(user.contact.timezone, params.zone)
    days, told = _days_to_tell(user, date_at(user.decided_at, zone))
    due = min((_due(day, params, zone) for day in days - told), default=None)
    return None if due is None or due > (user.last_seen_at or 0) + params.seen_within else due


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    """Still to come, and still the birthday of all whom the message names."""
    user, day = asked.user, date.fromisoformat(candidate.anchor)
    today = date_at(asked.now, zone_of(user.contact.timezone, params.zone))
    born = {who for who, _ in _born_on(user, day)}
    return None if today < day and born.issuperset(candidate.fields["whose"]) else Reason.STALE


def _days_to_tell(user: User, today: date) -> tuple[set[date], set[date]]:
    """The next birthdays, and of those among them that were told the ones after."""
    days = {day for _, day, _ in _next_birthdays(user, today)}
    told = {day for day in days if user.contact.step_of(NAME, day.isoformat()) > 0}
    return days | {day for each in told for _, day, _ in _next_birthdays(user, each)}, told


def concerns(user: User, event: Any) -> bool:
    """Who has a birthday and no timer is asked at the next sign of life: the rule is new, or she had been away."""
    if event.__class__ is events.ProfileUpdated:
        return True
    return _knows_any(user) and NAME not in (user.own_wakes or ())


def _knows_any(user: User) -> bool:
    contact = user.own_contact
    return contact is not None and (contact.birthday is not None or bool(contact.child_birthdays))


def _next_birthdays(user: User, today: date) -> Iterator[tuple[str, date, int | None]]:
    """(whose, the first after today, the age then) of everyone whose birthday is a day of the calendar."""
    contact = user.contact
    people = [("self", contact.birthday), *(("child", born) for born in contact.child_birthdays)]
    for who, born in people:
        found = None if born is None else _birthday_after(born, today)
        if found is not None:
            yield who, *found


def _birthday_after(born: str, today: date) -> tuple[date, int | None] | None:
    *given, month, day = (int(part) for part in born.split("-"))
    born_in = given[0] if given else 0  # the year 0000 stands for an unknown one too
    year = max(today.year, born_in + 1)
    try:
        birthday = _in_year(year, month, day)
        if birthday <= today:
            year, birthday = year + 1, _in_year(year + 1, month, day)
    except ValueError:  # 13-45, 04-31, or after the year 9999
        return None
    return birthday, year - born_in if born_in else None


def _in_year(year: int, month: int, day: int) -> date:
    return day_of_year(year, month, day) if (month, day) == (2, 29) else date(year, month, day)


def _born_on(user: User, day: date) -> list[tuple[str, int | None]]:
    eve = day - timedelta(days=1)
    return [(who, age) for who, birthday, age in _next_birthdays(user, eve) if birthday == day]


def _due(day: date, params: Params, zone: ZoneInfo) -> int:
    return moment(day - timedelta(days=params.before // DAY), params.at_time, zone)


_WORDS = {"self": "her own birthday", "child": "a child's birthday"}


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user = asked.user
    if not _knows_any(user):
        return [so(False, "a birthday is known, her own or a child's")]
    zone = zone_of(user.contact.timezone, params.zone)
    days, told = _days_to_tell(user, date_at(asked.now, zone))
    seen_at = user.last_seen_at or 0
    groups = []
    for day in sorted(days):
        due, whose = (
            _due(day, params, zone),
            " and ".join(sorted({_WORDS[who] for who, _ in _born_on(user, day)})),
        )
        groups.append(
            [
                so(True, f"{whose} is on {day.isoformat()}"),
                so(day not in told, "it has not been told"),
                so(
                    due <= seen_at + params.seen_within,
                    f"she was seen within {in_words(params.seen_within)} before: the last time {when(seen_at)}",
                ),
                time_is(
                    asked, due, f"it is {params.at_time} where she lives, {in_words(params.before)} before"
                ),
            ]
        )
    return nearest(groups, "a birthday is a day of the calendar")


RULE = Rule(
    name=NAME,
    version=1,
    question="Whose birthday, her own or a child's, is near?",
    params=Params,
    on=(events.ProfileUpdated, events.Registered, events.SessionStarted, events.OrderPlaced),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    catches_up=True,
    concerns=concerns,
    swayed_by=(  # whatever shows that she is still there
        *get_args(events.Clickstream),
        *get_args(events.Orders),
        *get_args(events.Customers),
        *get_args(events.Engagements),
    ),
    fields={
        "date": "of the birthday, YYYY-MM-DD",
        "whose": "list: `self`, and `child` for each child born on that day",
        "turning": "list: the age of each on that day, null where the year of birth is not known",
    },
)
