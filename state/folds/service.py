"""What does a complaint change? It is open until somebody closes it."""

from __future__ import annotations

from state import events
from state.folding import FoldParams, Folds
from state.user import User


def _opened(user: User, e: events.ComplaintOpened, params: FoldParams) -> None:
    user.service.open(e.ts, e.event_id, e.id, e.topic)


def _closed(user: User, e: events.ComplaintClosed, params: FoldParams) -> None:
    user.service.close(e.ts, e.id)


FOLDS: Folds = {
    events.ComplaintOpened: _opened,
    events.ComplaintClosed: _closed,
}
