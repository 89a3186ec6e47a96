"""Whom do we greet on a day of the calendar?

Each scene is a date of the shop's calendar (`when`: state/almanac.py), an `audience` and an offer; it is due
`days_before` it at `at_time` where the user lives. The audience is looked at then, and again at sending. Who joins it
later hears of the next date. It costs a wake-up for each scene date and each user who may be in the audience of a
scene, and has been seen within `seen_within`: who has not is let alone, and so is forgotten in the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Annotated, Any, get_args
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

from state import events
from state.almanac import When, next_date
from state.calendar import Duration, in_words
from state.folding import FoldParams
from state.lifecycle import Stage, stage_of
from state.local_time import ClockTime, date_at, moment, zone_of
from state.segments import GROUPS, SEGMENTS, flags_of, group_of, segment_name
from state.user import User
from triggers.trigger import Asked, Candidate, Condition, Reason, Rule, RuleParams
from triggers.why import so, speaks, time_is, when

NAME = "calendar_scene"
SCENES_LIMIT = 16  # as many as may be due at one moment
AUDIENCES = ("registered", "ordered", *get_args(Stage), *GROUPS, *SEGMENTS.values())
_BEGINNINGS = (events.Registered, events.OrderPlaced, events.OrderPaid)
_BEFORE_AN_ORDER = ("registered", "prospect")


class Scene(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`audience`: who is any of these; `offer` null: the rule's."""

    when: When
    days_before: Annotated[int, Meta(ge=0, le=60)]
    at_time: ClockTime
    audience: tuple[str, ...]
    offer: str | None

    def __post_init__(self) -> None:
        unknown = [word for word in self.audience if word not in AUDIENCES]
        if unknown or not self.audience:
            found = f"{unknown[0]!r} is no audience" if unknown else "the audience is empty"
            raise ValueError(f"{found}; known: {', '.join(AUDIENCES)}")


class Params(RuleParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`scenes` by name (null: not this one); times are in the user's time zone, else in `zone`."""

    zone: str
    seen_within: Duration
    scenes: dict[str, Scene | None]

    def __post_init__(self) -> None:
        if len(self.scenes) > SCENES_LIMIT:
            raise ValueError(f"{len(self.scenes)} scenes are more than {SCENES_LIMIT}")


def evaluate(asked: Asked, params: Params) -> Candidate | None:
    user = asked.user
    scenes = _within_reach(user, params.scenes)
    if not scenes:
        return None
    known, now = user.standing, asked.now
    if asked.event is not None or known.scenes_at < 0:
        # What was due before is over; what is due now comes after the event, by wake-up.
        known.scenes_at, known.scene = max((known.scenes_at, known.scene), (user.decided_at - 1, _LAST))
    if asked.event is not None:
        return None
    zone = zone_of(user.contact.timezone, params.zone)
    while (found := _next(scenes, zone, known.scenes_at, known.scene)) is not None and found[0] <= now:
        due, name, day = found
        known.scenes_at, known.scene = due, name
        anchor = f"{name}:{day.isoformat()}"
        if _belongs(asked, scenes[name]) and user.contact.step_of(NAME, anchor) == 0:
            return _candidate(asked, params, name, day, due)
    known.scenes_at, known.scene = max((known.scenes_at, known.scene), (now, _LAST))
    return None


def _candidate(asked: Asked, params: Params, name: str, day: date, due: int) -> Candidate:
    scene = params.scenes[name]
    assert scene is not None
    return Candidate(
        rule=NAME,
        version=RULE.version,
        user_id=asked.user.user_id,
        step=1,
        anchor=f"{name}:{day.isoformat()}",
        at=due,
        reason=f"{name} is on {day.isoformat()}",
        fields={"scene": name, "date": day.isoformat()},
        offer=scene.offer or params.offer,
    )


def wake_at(user: User, params: Params, fold: FoldParams) -> int | None:
    known = user.own_standing
    scenes = _within_reach(user, params.scenes)
    if known is None or not scenes:
        return None
    zone = zone_of(user.contact.timezone, params.zone)
    found = _next(scenes, zone, known.scenes_at, known.scene)
    return None if found is None or found[0] > (user.last_seen_at or 0) + params.seen_within else found[0]


def holds(asked: Asked, candidate: Candidate, params: Params) -> Reason | None:
    """The day is not over, and the user still belongs to the audience."""
    scene = params.scenes.get(candidate.fields["scene"])
    today = date_at(asked.now, zone_of(asked.user.contact.timezone, params.zone))
    over = today > date.fromisoformat(candidate.fields["date"])
    return Reason.STALE if scene is None or over or not _belongs(asked, scene) else None


def concerns(user: User, event: Any) -> bool:
    """A session only sets the timer of one who has none: the rule is new, or she had been away."""
    if event.__class__ in _BEGINNINGS:
        return True  # also before it is folded
    if user.registered_at is None and not user.has_ordered:
        return False
    return event.__class__ is not events.SessionStarted or NAME not in (user.own_wakes or ())


def _within_reach(user: User, scenes: Mapping[str, Scene | None]) -> dict[str, Scene]:
    """The scenes in whose audience this user may be by their time, as far as orders and registration tell."""
    if user.has_ordered and user.registered_at is not None:
        return {name: scene for name, scene in scenes.items() if scene is not None}
    if user.has_ordered:
        return {name: s for name, s in scenes.items() if s is not None and s.audience != ("registered",)}
    if user.registered_at is None:
        return {}
    return {
        name: scene
        for name, scene in scenes.items()
        if scene is not None and any(word in scene.audience for word in _BEFORE_AN_ORDER)
    }


def _next(scenes: Mapping[str, Scene], zone: ZoneInfo, at: int, last: str) -> tuple[int, str, date] | None:
    """The first (due, scene, date) after scene `last` at `at`."""
    return min(_dues(scenes, zone, at, last), default=None)


def _dues(scenes: Mapping[str, Scene], zone: ZoneInfo, at: int, last: str) -> Iterator[tuple[int, str, date]]:
    today = date_at(at, zone)
    for name, scene in scenes.items():
        since = at if name > last else at + 1
        found = _due_from(scene, zone, today)
        while found is not None and found[0] < since:
            found = _due_from(scene, zone, found[1] - timedelta(days=scene.days_before - 1))
        if found is not None:
            yield found[0], name, found[1]


@lru_cache(maxsize=4096)  # the same few dates for every user of a time zone
def _due_from(scene: Scene, zone: ZoneInfo, first: date) -> tuple[int, date] | None:
    """When the scene is due next, on the day `first` or later, and the date it is about."""
    before = timedelta(days=scene.days_before)
    day = next_date(scene.when, first + before)
    return None if day is None else (moment(day - before, scene.at_time, zone), day)


def _belongs(asked: Asked, scene: Scene) -> bool:
    user, fold, now = asked.user, asked.fold, asked.user.decided_at
    flags = flags_of(user, now, fold.segments, fold.days)
    words = {stage_of(user, now, fold.lifecycle), segment_name(flags), group_of(flags)}
    if user.registered_at is not None:
        words.add("registered")
    if user.has_ordered:
        words.add("ordered")
    return not words.isdisjoint(scene.audience)


_LAST = "~"  # comes after the name of every scene


def conditions(asked: Asked, params: Params) -> list[Condition]:
    user, known = asked.user, asked.user.standing
    scenes = _within_reach(user, params.scenes)
    zone, seen_at = zone_of(user.contact.timezone, params.zone), user.last_seen_at or 0
    lately = f"she was seen within {in_words(params.seen_within)} before: the last time {when(seen_at)}"
    at, last = (known.scenes_at, known.scene) if known.scenes_at >= 0 else (user.decided_at - 1, _LAST)
    while scenes and (found := _next(scenes, zone, at, last)) is not None:
        at, last, day = found
        scene, untold = scenes[last], user.contact.step_of(NAME, f"{last}:{day.isoformat()}") == 0
        group = [
            so(asked.event is None and untold, f"{last} is on {day.isoformat()}, told once and by its timer"),
            so(at <= seen_at + params.seen_within, lately),
            so(_belongs(asked, scene), f"she is in the audience: {', '.join(scene.audience)}"),
            time_is(asked, at, f"it is {scene.at_time} where she lives, {scene.days_before} days before"),
        ]
        if speaks(group) or not asked.passed(at):
            return group
    return [so(False, "she has registered or ordered, as an audience asks, and a scene is to come")]


RULE = Rule(
    name=NAME,
    version=1,
    question="Whom do we greet on a day of the calendar?",
    params=Params,
    on=(
        events.Registered,
        events.OrderPlaced,
        events.OrderPaid,
        events.OrderCancelled,
        events.ProfileUpdated,
        events.SessionStarted,
    ),
    evaluate=evaluate,
    wake_at=wake_at,
    holds=holds,
    conditions=conditions,
    concerns=concerns,
    swayed_by=(  # the audience changes by orders and visits, and whatever she does shows that she is still there
        *get_args(events.Clickstream),
        *get_args(events.Orders),
        *get_args(events.Customers),
        *get_args(events.Engagements),
    ),
    fields={"scene": "its name in the settings", "date": "the day it is about, YYYY-MM-DD"},
)
