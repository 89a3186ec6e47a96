"""What does a user tell about herself? Registration, profile, consent, erasure."""

from __future__ import annotations

from state import events
from state.audience import relist
from state.folding import Applied, FoldParams, Folds
from state.user import User


def _registered(user: User, e: events.Registered, params: FoldParams) -> None:
    if user.registered_at is None or e.ts < user.registered_at:
        user.registered_at, user.registered_event = e.ts, e.event_id


def _profile_updated(user: User, e: events.ProfileUpdated, params: FoldParams) -> Applied | None:
    known = user.contact
    if e.ts < known.profile_at:
        return None
    known.profile_at = e.ts
    for name in ("birthday", "region", "timezone", "locale"):
        value = getattr(e, name)
        if value is not None:
            setattr(known, name, value)
    if e.preferred_channels is not None:
        known.preferred_channels = list(e.preferred_channels)
    if e.child_birthdays is not None:
        known.child_birthdays = list(e.child_birthdays)
    return Applied(True, None, *relist(user))


def _consent_changed(user: User, e: events.ConsentChanged, params: FoldParams) -> None:
    user.contact.set_consent(e.channel, e.granted, e.ts)


def _erase_requested(user: User, e: events.EraseRequested, params: FoldParams) -> None:
    """All that stays is the marker that makes later and replayed events of this user do nothing."""
    blank = User.new(user.user_id)
    for name in User.__struct_fields__:
        setattr(user, name, getattr(blank, name))
    user.erased_at = e.ts


FOLDS: Folds = {
    events.Registered: _registered,
    events.ProfileUpdated: _profile_updated,
    events.ConsentChanged: _consent_changed,
    events.EraseRequested: _erase_requested,
}
