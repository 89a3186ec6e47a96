"""Which ids are one person, and who of them lives? Ties between ids, and the walk from an alias to the one who lives.

An alias is a User that only points on (`alias_of`); events of it follow the pointers to a user who is none. Links
made at the same moment on different shards may close a circle in which nobody lives. Whatever walks into a
circle notices it, and the smallest id of the circle lives again: the same one whoever notices it first.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace
from xxhash import xxh3_64_hexdigest

ALIASES_LIMIT = 32
REFEREES_LIMIT = 16


class Ties(Struct, array_like=True, gc=False):
    """What ties this id to others.

    `alias_of`: where everything of this id has gone; `links`: how often it has gone; `aliases`: ids whose state came
    here, the last ones. `referrer`: who brought this user, `referred_at` then; `rewarded`: her first order has
    counted, and the referrer has been told if there was a reason. `referees`: whom this user brought and whose
    first order has counted, with its time, the last ones. `paid_by`: the event by which the order counted that the
    referrer was told of. `thanked`: referral_reward has spoken to this user of her own first order.
    """

    alias_of: str | None = None
    links: int = 0
    aliases: list[str] = []
    referrer: str | None = None
    referred_at: int = -1
    rewarded: bool = False
    referees: dict[str, int] = {}
    paid_by: str | None = None
    thanked: bool = False

    @property
    def binds(self) -> bool:
        """Must somebody else hear of what happens to this user?"""
        return self.alias_of is not None or (self.referrer is not None and not self.rewarded)

    def refer(self, referrer: str, ts: int) -> None:
        """The first who brought the user has."""
        if self.referrer is None or (ts, referrer) < (self.referred_at, self.referrer):
            self.referrer, self.referred_at = referrer, ts

    def reward(self, referee: str, ts: int) -> None:
        self.referees[referee] = min(ts, self.referees.get(referee, ts))
        self._bound()

    def take_back(self, referee: str) -> None:
        self.referees.pop(referee, None)

    def unite(self, other: Ties) -> None:
        if other.referrer is not None:
            self.refer(other.referrer, other.referred_at)
        self.rewarded = self.rewarded or other.rewarded
        self.paid_by = self.paid_by or other.paid_by
        self.thanked = self.thanked or other.thanked
        for referee, ts in other.referees.items():
            self.reward(referee, ts)

    def _bound(self) -> None:
        while len(self.referees) > REFEREES_LIMIT:
            del self.referees[min(self.referees, key=lambda referee: (self.referees[referee], referee))]


class Walk(Struct, array_like=True, frozen=True, gc=False):
    """The way from alias to alias, and what it tells about circles (Brent's way: nothing but one `place` is kept).

    A step is an id and its `links`, a pointer that never returns once it is gone. When `place` comes again, a
    round is over; a round equal to the one `before` proves that all its pointers stood at one moment, and pointers
    go away only when a circle is opened at its smallest id, which is then `found`.
    """

    hops: int = 0
    place: tuple[str, int] | None = None
    stride: int = 1
    steps: int = 0
    round: str = ""
    before: str = ""
    least: tuple[str, int] | None = None
    found: tuple[str, int] | None = None

    def past(self, user_id: str, links: int) -> Walk:
        """One step more, at an alias."""
        here = (user_id, links)
        if self.found is not None and (self.found[0] != user_id or self.found == here):
            return replace(self, hops=self.hops + 1)
        if self.found is not None:  # it was opened there, and has closed since
            return Walk(self.hops).past(user_id, links)
        walk = self
        if here == self.place:
            found = self.least if self.round == self.before else None
            walk = replace(self, steps=0, round="", before=self.round, least=None, found=found)
        elif self.place is None or self.steps == self.stride:
            walk = Walk(self.hops, here, 2 * self.stride)
        return replace(
            walk,
            hops=walk.hops + 1,
            steps=walk.steps + 1,
            round=xxh3_64_hexdigest(f"{walk.round} {links} {user_id}".encode()),
            least=min(here, walk.least or here),
        )
