"""How does this user take part: check-ins, shares, following the store?

Check-in days are bits, of which bit 0 is `last_day`: the same in whatever order and however often they are told.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from state import marks
from state.marks import mark_of

KEPT_DAYS = 62  # what fits into an integer of MessagePack
LIKED_LIMIT = 64  # targets
_ALL_DAYS = (1 << KEPT_DAYS) - 1


class Community(Struct, array_like=True, gc=False):
    """`praised`: check-in days of a streak that was told.

    `liked`: marks (state/marks.py) of the last rung told of each target.
    """

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

    def days_in_a_row(self) -> int:
        """Up to `last_day`."""
        length = 0
        while self.checked_in >> length & 1:
            length += 1
        return length

    def praise(self, first: int, length: int) -> None:
        for day in range(first, first + length):
            self.praised |= self._bit(day)

    def knows_liked(self, target: str, rung: int) -> bool:
        return bool(self.liked) and _rung_of(target, rung) in marks.each(self.liked)

    def note_liked(self, target: str, rung: int, below: Iterable[int] = ()) -> None:
        """A target that is spoken of is remembered for longer; nothing is asked of the rungs `below` any more."""
        lower = [_rung_of(target, each) for each in below]
        self.liked = marks.note(self.liked, _rung_of(target, rung), LIKED_LIMIT, instead_of=lower)

    def unite(self, other: Community) -> None:
        """Two ids are one person: days and shares of both, and what was told to either was told."""
        self.follow(other.followed_at)
        self._reach(other.last_day)
        back = min(self.last_day - other.last_day, KEPT_DAYS)
        self.checked_in |= other.checked_in << back & _ALL_DAYS
        self.praised |= other.praised << back & _ALL_DAYS
        self.shares += other.shares
        self.shares_told = max(self.shares_told, other.shares_told)
        self.liked = marks.unite(self.liked, other.liked, LIKED_LIMIT)

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


def _rung_of(target: str, rung: int) -> bytes:
    return mark_of(f"{rung} {target}")
