"""What came back of the messages? Delivered, answered, bounced, or no more of it."""

from __future__ import annotations

from state import events
from state.folding import FoldParams, Folds
from state.replies import CLICKED, DELIVERED, OPENED
from state.user import User

_SIGNS: dict[type, int] = {
    events.MessageDelivered: DELIVERED,
    events.MessageOpened: OPENED,
    events.MessageClicked: CLICKED,
}


def _heard(user: User, e: events.Engagement, params: FoldParams) -> None:
    sign = _SIGNS[e.__class__]
    user.replies.hear(e.trigger_id, sign, e.ts)
    user.replies.hear_on(e.channel, sign, e.ts)


def _bounced(user: User, e: events.MessageBounced, params: FoldParams) -> None:
    user.replies.bounce(e.channel, e.ts)


def _unsubscribed(user: User, e: events.Unsubscribed, params: FoldParams) -> None:
    user.contact.set_consent(e.channel, False, e.ts)


FOLDS: Folds = {
    **dict.fromkeys(_SIGNS, _heard),
    events.MessageBounced: _bounced,
    events.Unsubscribed: _unsubscribed,
}
