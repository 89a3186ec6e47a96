"""Which SKUs has this user lately looked at: when last, how often, and at which price?"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct as Record
from typing import Protocol

from msgspec import Struct

from state.calendar import DAY

RECENT_SKUS_LIMIT = 20

_RECORD = Record("<qqqII")  # at, since, price, times, fresh; docs/state.md
_SIZE = _RECORD.size
_UNKNOWN = -1  # as a price


class Looks(Protocol):
    """Of one SKU or category: the last view, and how many there were after `since`."""

    at: int
    fresh: int
    since: int


class Look(Struct, gc=False):
    """At one SKU: when last, how often, and the price then (minor units).

    `fresh` of the views came after `since`, when it was last carted, bought or spoken of (state/browsing.py).
    """

    at: int
    since: int
    price: int | None
    times: int
    fresh: int


class Viewed(Struct, array_like=True, gc=False):
    """`looks` has 32 bytes for each of `skus`, the SKU looked at latest last.

    No object for each: every event of a user unpacks and packs them all, and changes one at most.
    """

    skus: list[str] = []
    looks: bytes = b""

    def __contains__(self, sku: str) -> bool:
        return sku in self.skus

    def __len__(self) -> int:
        return len(self.skus)

    def get(self, sku: str) -> Look | None:
        """As it is; changing it changes nothing here."""
        return _read(self.looks, self.skus.index(sku)) if sku in self.skus else None

    def items(self) -> Iterator[tuple[str, Look]]:
        for place, sku in enumerate(self.skus):
            yield sku, _read(self.looks, place)

    def look(self, ts: int, sku: str, price: int | None, since: int = -1) -> bool:
        """Count one view; True when the SKU begins (or, a day later, begins again) to be watched.

        `since`: of a SKU not among the viewed ones, when it was last in the cart.
        """
        skus, looks = self.skus, self.looks
        told = _UNKNOWN if price is None else price
        if sku not in skus:
            skus.append(sku)
            self.looks = looks + _RECORD.pack(ts, since, told, 1, ts > since)
            self._forget_first()
            return True
        place = skus.index(sku)
        at, since, known, times, fresh = _RECORD.unpack_from(looks, _SIZE * place)
        again: bool = ts - at >= DAY
        if ts < at or price is None:
            told = known
        skus.append(skus.pop(place))
        changed = _RECORD.pack(max(ts, at), since, told, times + 1, fresh + (ts > since))
        self.looks = looks[: _SIZE * place] + looks[_SIZE * (place + 1) :] + changed
        return again

    def end(self, sku: str, ts: int) -> None:
        """Carted, bought or spoken of: from here on its views count anew."""
        look = self.get(sku)
        if look is not None and ts > look.since:
            look.fresh, look.since = fresh_after(look, ts), ts
            place = self.skus.index(sku)
            self.looks = self.looks[: _SIZE * place] + _written(look) + self.looks[_SIZE * (place + 1) :]

    def unite(self, other: Viewed) -> None:
        """Two ids are one person: the latest stay."""
        both = dict(self.items())
        for sku, theirs in other.items():
            own = both.get(sku)
            both[sku] = theirs if own is None else _one(own, theirs)
        kept = sorted(both.items(), key=lambda each: (each[1].at, each[0]))[-RECENT_SKUS_LIMIT:]
        self.skus = [sku for sku, _ in kept]
        self.looks = b"".join(_written(look) for _, look in kept)

    def _forget_first(self) -> None:
        if len(self.skus) > RECENT_SKUS_LIMIT:
            del self.skus[0]
            self.looks = self.looks[_SIZE:]


def fresh_after(look: Looks, ts: int) -> int:
    """How many of the views came after `ts`? At least the last one, if it did; of those before it nobody knows."""
    if ts <= look.since:
        return look.fresh
    return 0 if look.at <= ts else min(look.fresh, 1)


def _read(looks: bytes, place: int) -> Look:
    at, since, price, times, fresh = _RECORD.unpack_from(looks, _SIZE * place)
    return Look(at, since, None if price == _UNKNOWN else price, times, fresh)


def _written(look: Look) -> bytes:
    price = _UNKNOWN if look.price is None else look.price
    return _RECORD.pack(look.at, look.since, price, look.times, look.fresh)


def _one(a: Look, b: Look) -> Look:
    early, late = sorted((a, b), key=lambda look: (look.at, look.times, look.price or -1))
    price = early.price if late.price is None else late.price
    since = max(a.since, b.since)
    fresh = sum(fresh_after(look, since) for look in (a, b))
    return Look(late.at, since, price, early.times + late.times, fresh)
