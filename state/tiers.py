"""Which membership tier do a user's orders earn, and until when?

A tier is reached by net spend and orders of the last 365 days together. It is kept for as long as the last 365 days
and `keep_for` suffice: who buys again a little late does not fall and rise. Money given back takes a tier at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from msgspec import Struct

from state.calendar import DAY, Days, Duration
from state.rfm import WINDOWS_DAYS, Rfm

if TYPE_CHECKING:
    from state.user import User

YEAR_DAYS = WINDOWS_DAYS[-1]
Sums = tuple[int, int]
"""(orders, net minor units) of a window."""


class Tier(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Net `spend` (minor units) and `orders` within 365 days; `benefits` by the names that the shop gives them."""

    name: str
    spend: int
    orders: int
    benefits: tuple[str, ...]


class MembershipParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tiers in ascending order, the first for whoever has bought; defaults and sources in config/default.yaml."""

    tiers: tuple[Tier, ...]
    keep_for: Duration

    @property
    def kept_days(self) -> int:
        return YEAR_DAYS + self.keep_for // DAY

    def rank(self, name: str | None) -> int | None:
        """None of a tier that the settings do not know."""
        return next((rank for rank, tier in enumerate(self.tiers) if tier.name == name), None)

    def earned(self, sums: Sums) -> int:
        """The tier for these sums."""
        orders, net = sums
        rank = len(self.tiers) - 1
        while rank > 0 and (net < self.tiers[rank].spend or orders < self.tiers[rank].orders):
            rank -= 1
        return rank

    def rank_after(self, held: int | None, year: Sums, kept: Sums) -> int:
        """The tier of who has these sums and held another before."""
        return max(self.earned(year), min(held or 0, self.earned(kept)))


def rank_of(user: User, params: MembershipParams, days: Days, now: int | None = None) -> int | None:
    """The tier at `now`, or up to where the rules have been asked, by its place in the settings.

    None of who has never bought.
    """
    held, rfm = held_rank(user, params), user.own_rfm
    if rfm is None or (rfm.orders <= 0 and held is None):
        return None
    now = user.decided_at if now is None else now
    reached = params.earned(rfm.window(now, YEAR_DAYS, days))
    if reached >= (held or 0):
        return reached
    return max(reached, min(held or 0, params.earned(rfm.window(now, params.kept_days, days))))


def held_rank(user: User, params: MembershipParams) -> int | None:
    return None if user.own_membership is None else params.rank(user.own_membership.tier)


def ahead(rfm: Rfm, now: int, params: MembershipParams, days: Days) -> Iterator[tuple[int, Sums, Sums]]:
    """(when, sums that reach a tier, sums that keep one) now and at each moment at which time alone changes them."""
    sums = [rfm.window(now, YEAR_DAYS, days), rfm.window(now, params.kept_days, days)]
    yield now, sums[0], sums[1]
    moves = [(0, *move) for move in rfm.leaving(now, YEAR_DAYS, days)]
    moves += [(1, *move) for move in rfm.leaving(now, params.kept_days, days)]
    for moment, together in groupby(sorted(moves, key=lambda move: move[1]), key=lambda move: move[1]):
        for which, _, orders, net in together:
            sums[which] = orders, net
        yield moment, sums[0], sums[1]


def next_change_at(user: User, params: MembershipParams, days: Days) -> int | None:
    """From when on the tier is another than the one held, if nothing happens; None if it stays."""
    held, rfm, now = held_rank(user, params), user.own_rfm, user.decided_at
    if held is None or rfm is None:
        return None
    if rank_of(user, params, days) != held:
        return now
    if min(rfm.net_by_day.values(), default=0) >= 0:
        # What leaves only lowers the sums: nothing rises, and what keeps the tier goes last.
        if held == 0:
            return None
        need = params.tiers[held]
        leaving = rfm.leaving(now, params.kept_days, days)
        return next((when for when, orders, net in leaving if net < need.spend or orders < need.orders), None)
    moments = ahead(rfm, now, params, days)
    return next((moment for moment, *sums in moments if params.rank_after(held, *sums) != held), None)
