"""How does this user take part: check-ins, shares, following the store?

Check-in days are bits, of which bit 0 is `last_day`: the same in whatever order and however often they are told.
"""

from __future__ import annotations

from msgspec import Struct
from xxhash import xxh3_64_digest

KEPT_DAYS = 62  # what fits into an integer of MessagePack
LIKED_LIMIT = 32
_ALL_DAYS = (1 << KEPT_DAYS) - 1
_MARK_BYTES = 8


class Community(Struct, array_like=True, gc=False):
    """`praised`: check-in days of a streak that was told; `liked`: marks of the last rungs told, by target."""

    followed_at: int = -1
    last_day: int = -1
    checked_in: int = 0
    praised: int = 0
    shares: int = 0
    shares_told: int = 0
    liked: bytes = b""

    def follow(self, ts: int) -> None:
        self.followed_at = max(ts, self.followed_at)

    def check_in(self, day: int) -> None:
        self._reach(day)
        self.checked_in |= self._bit(day)

    def streak(self, day: int, length: int) -> int | None:
        """The first of `length` days in a row, `day` among them, none of which belongs to a streak told before."""
        free = self.checked_in & ~self.praised
        if not free & self._bit(day):
            return None
        first = last = day
        while last - first + 1 < length and free & self._bit(first - 1):
            first -= 1
        while last - first + 1 < length and free & self._bit(last + 1):
            last += 1
        return first if last - first + 1 == length else None

    def praise(self, first: int, length: int) -> None:
        for day in range(first, first + length):
            self.praised |= self._bit(day)

    def knows_liked(self, target: str, rung: int) -> bool:
        mark = _mark(target, rung)
        liked = self.liked
        return any(liked[at : at + _MARK_BYTES] == mark for at in range(0, len(liked), _MARK_BYTES))

    def note_liked(self, target: str, rung: int) -> None:
        self.liked = (self.liked + _mark(target, rung))[-_MARK_BYTES * LIKED_LIMIT :]

    def unite(self, other: Community) -> None:
        """Two ids are one person: days and shares of both, and what was told to either was told."""
        self.follow(other.followed_at)
        self._reach(other.last_day)
        back = min(self.last_day - other.last_day, KEPT_DAYS)
        self.checked_in |= other.checked_in << back & _ALL_DAYS
        self.praised |= other.praised << back & _ALL_DAYS
        self.shares += other.shares
        self.shares_told = max(self.shares_told, other.shares_told)
        marks = [other.liked[at : at + _MARK_BYTES] for at in range(0, len(other.liked), _MARK_BYTES)]
        self.liked = (b"".join(mark for mark in marks if mark not in self.liked) + self.liked)[
            -_MARK_BYTES * LIKED_LIMIT :
        ]

    def _reach(self, day: int) -> None:
        """Let the bits begin at `day` if that is later."""
        if day > self.last_day:
            on = min(day - self.last_day, KEPT_DAYS)
            self.checked_in = self.checked_in << on & _ALL_DAYS
            self.praised = self.praised << on & _ALL_DAYS
            self.last_day = day

    def _bit(self, day: int) -> int:
        back = self.last_day - day
        return 1 << back if 0 <= back < KEPT_DAYS else 0


def _mark(target: str, rung: int) -> bytes:
    return xxh3_64_digest(f"{rung} {target}".encode())
