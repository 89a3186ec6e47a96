"""What do grants and spends of points change? Which lots there are, and what is left of them."""

from __future__ import annotations

from state import events
from state.folding import FoldParams, Folds
from state.user import User


def _points_granted(user: User, e: events.PointsGranted, params: FoldParams) -> None:
    user.membership.points.grant(e.ts, e.lot_id, e.points, e.expires_at)


def _points_spent(user: User, e: events.PointsSpent, params: FoldParams) -> None:
    user.membership.points.spend(e.ts, e.points)


FOLDS: Folds = {
    events.PointsGranted: _points_granted,
    events.PointsSpent: _points_spent,
}
