"""What does taking part change? Following the store, check-ins, shares."""

from __future__ import annotations

from state import events
from state.calendar import days_in
from state.folding import FoldParams, Folds
from state.user import User


def checkin_day(user: User, ts: int, params: FoldParams) -> int:
    """In the time zone of the user as far as it is known by now, else in that of the shop."""
    zone = None if user.own_contact is None else user.own_contact.timezone
    return days_in(zone, params.days).of(ts)


def _followed(user: User, e: events.StoreFollowed, params: FoldParams) -> None:
    user.community.follow(e.ts)


def _checked_in(user: User, e: events.CheckedIn, params: FoldParams) -> None:
    user.community.check_in(checkin_day(user, e.ts, params))


def _shared(user: User, e: events.ContentShared, params: FoldParams) -> None:
    user.community.shares += 1


FOLDS: Folds = {
    events.StoreFollowed: _followed,
    events.CheckedIn: _checked_in,
    events.ContentShared: _shared,
}
