"""What does a user tell about herself? Registration, profile, consent, erasure."""

from __future__ import annotations

from state import events
from state.audience import relist
from state.folding import Applied, FoldParams, Folds
from state.user import User


def _registered(user: User, e: events.Registered, params: FoldParams) -> None:
    if user.registered_at is None or e.ts < user.registered_at:
        user.registered_at, user.registered_event = e.ts, e.event_id


def _profile_updated(user: User, e: events.ProfileUpdated, params: FoldParams) -> Applied:
    user.contact.say(e.ts, e)
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
