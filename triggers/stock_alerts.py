"""Who is told of a stock edge, and when? Best prospects first; shared by low_stock and back_in_stock.

An alert is a user's note of one edge (state/folds/letters.py). It waits for the wave of its interest and is taken
out as it becomes a candidate, so each fall or return is told once, whatever the rule remembers.
"""

from __future__ import annotations

from typing import get_args

from msgspec import Struct

from state import events
from state.calendar import Duration
from state.contact import Alert, Sent
from state.interest import bought_at, interest_in, interests
from state.user import User
from triggers.trigger import Asked, Candidate, Claim, Condition
from triggers.why import after, listed, nearest, so, when

INTEREST_EVENTS = (*get_args(events.Clickstream), events.OrderPlaced, events.OrderCancelled)
WORDS = {"cart": "in the cart", "favourite": "among the favourites", "viewed": "lately viewed"}


class Waves(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Delay after the edge for each interest (state.contact.INTERESTS)."""

    cart: Duration
    favourite: Duration
    viewed: Duration

    def of(self, interest: str) -> Duration:
        delay: Duration = getattr(self, interest)
        return delay


def told_at(alert: Alert, waves: Waves) -> int:
    return alert.at + waves.of(alert.interest)


def next_wave(user: User, edge: str, waves: Waves) -> int | None:
    """When the next alert of this kind is due."""
    return min((told_at(a, waves) for a in user.contact.alerts if a.edge == edge), default=None)


def take_alert(asked: Asked, edge: str, waves: Waves, watched_for: Duration) -> Alert | None:
    """Take out the alerts that are due; the first of them whose user counts as interested at its edge."""
    contact = asked.user.contact
    due = [a for a in contact.alerts if a.edge == edge and _is_due(asked, a, waves)]
    for alert in sorted(due, key=lambda a: told_at(a, waves)):
        contact.alerts = [a for a in contact.alerts if a is not alert]
        if _was_interested(alert, watched_for):
            return alert
    return None


def alert_conditions(
    asked: Asked, edge: str, waves: Waves, watched_for: Duration, what: str
) -> list[Condition]:
    """What must be so for `take_alert` to find one; `what` the edge is, in words."""
    user = asked.user
    groups = [
        [
            so(True, f"{what}: {a.sku}, {a.available} there {when(a.at)}, {WORDS[a.interest]}"),
            so(_was_interested(a, watched_for), f"a view counts: the last {when(a.seen_at)}"),
            so(_is_due(asked, a, waves), f"{after(waves.of(a.interest))}, its wave", told_at(a, waves)),
        ]
        for a in user.contact.alerts
        if a.edge == edge
    ]
    cared_for = sorted(interests(user).items(), key=lambda each: (-each[1], each[0]))
    stock = listed([f"{sku} has {_pieces(asked, sku)}" for sku, _ in cared_for])
    return nearest(groups, f"{what}, each time told once: {stock or 'there is none'}")


def wanted(user: User, candidate: Candidate, waves: Waves) -> bool:
    """Does the user still care about the SKU, and has she not bought it since the edge?"""
    sku, edge_at = candidate.skus[0], _edge_at(candidate, waves)
    return bought_at(user, sku) < edge_at and interest_in(user, sku) is not None


def bought_by_then(user: User, order: events.OrderPlaced, sent: Sent, waves: Waves) -> bool:
    """Of an order that came late: had she bought the SKU since the edge, or shown no interest in it after that?"""
    if all(line.sku not in sent.skus for line in order.lines):
        return False
    interest = interest_in(user, sent.skus[0])
    if interest is None or interest[1] > sent.due:
        return True
    return order.ts >= sent.due - waves.of(interest[0])


def left(asked: Asked, alert: Alert) -> int:
    """Pieces left now; as the alert said where the item shard knows nothing newer."""
    now = _available_since(asked, alert.sku, alert.at)
    return alert.available if now is None else now


def left_since(asked: Asked, candidate: Candidate, waves: Waves) -> int | None:
    """Pieces left now; None where the item shard knows nothing that is as new as the edge."""
    return _available_since(asked, candidate.skus[0], _edge_at(candidate, waves))


def reach(rule: str, alert: Alert, available: int, per_unit: float | None) -> Claim | None:
    """A place among the users that `available` pieces may be announced to; None: no limit."""
    if per_unit is None:
        return None
    return Claim(f"{rule}:{alert.sku}:{alert.anchor}", alert.sku, int(per_unit * available))


def _available_since(asked: Asked, sku: str, edge_at: int) -> int | None:
    """An older fact does not overrule the edge: its letter may be here before its shard has read so far again."""
    item = asked.facts(sku)
    return None if item is None or item.stock_at < edge_at else item.available


def _edge_at(candidate: Candidate, waves: Waves) -> int:
    return candidate.at - waves.of(candidate.fields["interest"])


def _pieces(asked: Asked, sku: str) -> str:
    item = asked.facts(sku)
    return "unknown stock" if item is None or item.available is None else str(item.available)


def _is_due(asked: Asked, alert: Alert, waves: Waves) -> bool:
    """The first wave goes with the edge itself; a later one waits like any timer."""
    at = told_at(alert, waves)
    return at <= alert.at or asked.passed(at)


def _was_interested(alert: Alert, watched_for: Duration) -> bool:
    """A view counts for `watched_for`, and for a SKU that came back only if it was made while it was out."""
    if alert.interest != "viewed":
        return True
    return alert.at - alert.seen_at <= watched_for and alert.seen_at >= alert.since
