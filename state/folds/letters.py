"""What do other shards tell of a user? Stock edges and referrals."""

from __future__ import annotations

from state import contact, events
from state.folding import FoldParams, Folds
from state.interest import interest_in
from state.letters import ReferralPaid, ReferralUndone, Referred
from state.user import User


def _stock_edge(user: User, e: events.StockEdge, params: FoldParams) -> None:
    """Remember an edge of a SKU the user cares about; the rules decide who hears of it, and when.

    A second edge of the same kind means that the first is over.
    """
    known = interest_in(user, e.sku)
    if known is not None:
        interest, seen_at = known
        alerts = [a for a in user.contact.alerts if (a.sku, a.edge) != (e.sku, e.edge)]
        alerts.append(contact.Alert(e.edge, e.sku, e.event_id, e.ts, e.since, interest, seen_at, e.available))
        user.contact.alerts = alerts[-contact.ALERTS_LIMIT :]


def _referred(user: User, e: Referred, params: FoldParams) -> None:
    user.ties.refer(e.referrer, e.ts)


def _referral_paid(user: User, e: ReferralPaid, params: FoldParams) -> None:
    user.ties.reward(e.referee_id, e.ts)


def _referral_undone(user: User, e: ReferralUndone, params: FoldParams) -> None:
    user.ties.take_back(e.referee_id)


FOLDS: Folds = {
    events.StockEdge: _stock_edge,
    Referred: _referred,
    ReferralPaid: _referral_paid,
    ReferralUndone: _referral_undone,
}
