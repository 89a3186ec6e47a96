"""Which points does this user still have, and when does each lot expire?

Grants and spends are kept as they were told and reckoned up when asked, so the order in which they arrive does not
matter: each spend takes from the lots alive at its own time, first from the one that expires first. A spend beyond
what the lots hold took points we were never told of. Spends too many to keep, or of lots long expired, are settled:
their share is taken from the lots for good.
"""

from __future__ import annotations

from msgspec import Struct

from state.calendar import DAY

LOTS_LIMIT = 100  # what has expired makes room first, then the lot with the fewest points left
SPENDS_LIMIT = 32  # a spend beyond is settled, the oldest first
EXPIRED_KEPT_FOR = 30 * DAY  # a spend from before the expiry that comes so late still finds its lot


class Lot(Struct, array_like=True, gc=False):
    """`taken` by settled spends; `told`: the last step of points_expiring that has become a candidate."""

    points: int
    expires_at: int
    granted_at: int
    taken: int = 0
    told: int = 0


class Points(Struct, array_like=True, gc=False):
    """Lots by id, and spends as (time, points); `newest_at` is the latest of both."""

    lots: dict[str, Lot] = {}
    spends: list[tuple[int, int]] = []
    newest_at: int = -1

    def grant(self, ts: int, lot_id: str, points: int, expires_at: int) -> None:
        """A lot is granted once; of two grants of it the earlier counts, the other is a repetition."""
        self._enter(lot_id, Lot(points, expires_at, ts))
        self._tidy(ts)

    def spend(self, ts: int, points: int) -> None:
        self.spends.append((ts, points))
        self._tidy(ts)

    def left(self, until: int | None = None) -> dict[str, int]:
        """Points left of each lot, expired or not, after all spends, or those up to `until`."""
        left = {lot_id: lot.points - lot.taken for lot_id, lot in self.lots.items()}
        if not self.spends:
            return left
        soonest = sorted(
            self.lots.items(), key=lambda each: (each[1].expires_at, each[1].granted_at, each[0])
        )
        for ts, wanted in sorted(self.spends):
            if until is not None and ts > until:
                break
            owed = wanted
            for lot_id, lot in soonest:
                if lot.granted_at <= ts <= lot.expires_at:
                    took = min(owed, left[lot_id])
                    left[lot_id] -= took
                    owed -= took
                    if owed == 0:
                        break
        return left

    def balance(self, now: int) -> int:
        left = self.left()
        return sum(left[lot_id] for lot_id, lot in self.lots.items() if now < lot.expires_at)

    def unite(self, other: Points) -> None:
        """Two ids are one person: what was spent under either id takes from the lots of both."""
        for lot_id, lot in other.lots.items():
            self._enter(lot_id, lot)
        self.spends += other.spends
        self._tidy(other.newest_at)

    def _enter(self, lot_id: str, lot: Lot) -> None:
        known = self.lots.get(lot_id)
        if known is not None:
            first = min(known, lot, key=lambda each: (each.granted_at, each.expires_at, each.points))
            taken = min(first.points, max(known.taken, lot.taken))
            lot = Lot(first.points, first.expires_at, first.granted_at, taken, max(known.told, lot.told))
        self.lots[lot_id] = lot

    def _tidy(self, ts: int) -> None:
        self.newest_at = max(self.newest_at, ts)
        gone = [
            lot.expires_at for lot in self.lots.values() if lot.expires_at < self.newest_at - EXPIRED_KEPT_FOR
        ]
        if gone:
            self._settle(max(gone))
            for lot_id in [lot_id for lot_id, lot in self.lots.items() if lot.expires_at in gone]:
                del self.lots[lot_id]
        if len(self.spends) > SPENDS_LIMIT:
            self._settle(sorted(self.spends)[-SPENDS_LIMIT - 1][0])
        if len(self.lots) > LOTS_LIMIT:
            self._make_room()

    def _settle(self, until: int) -> None:
        for lot_id, points in self.left(until).items():
            lot = self.lots[lot_id]
            lot.taken = lot.points - points
        self.spends = [spend for spend in self.spends if spend[0] > until]

    def _make_room(self) -> None:
        """What a lot that goes has paid for must not be taken from another."""
        self._settle(self.newest_at)
        lots = self.lots
        worth = sorted(
            lots,
            key=lambda lot_id: (
                lots[lot_id].expires_at > self.newest_at,
                lots[lot_id].points - lots[lot_id].taken,
                lots[lot_id].expires_at,
                lot_id,
            ),
        )
        for lot_id in worth[: len(lots) - LOTS_LIMIT]:
            del lots[lot_id]
