"""What does every event say? When it happened, under which id, and mostly to whom."""

from __future__ import annotations

import re

from msgspec import Struct

from state.values import Id, Millis, PersonId


def _tag(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Event(Struct, frozen=True, gc=False, kw_only=True, tag_field="type", tag=_tag):
    event_id: Id
    ts: Millis
    traceparent: Id | None = None


class UserEvent(Event, frozen=True, gc=False, kw_only=True):
    """An event of one person: `user_id`, or `anonymous_id` until we know better."""

    user_id: PersonId | None = None
    anonymous_id: PersonId | None = None
    session_id: PersonId | None = None
    platform: Id | None = None
