"""What came back of the messages? So far: that somebody wants no more."""

from __future__ import annotations

from state import events
from state.folding import FoldParams, Folds
from state.user import User


def _unsubscribed(user: User, e: events.Unsubscribed, params: FoldParams) -> None:
    user.contact.set_consent(e.channel, False, e.ts)


FOLDS: Folds = {
    events.Unsubscribed: _unsubscribed,
}
