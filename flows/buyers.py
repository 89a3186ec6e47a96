"""Which buyers of this shard are counted where, which cut points are in force, and what of it is not stored yet?

What a commit writes with the users: so counters equal the users after any crash. The fields in the ledger are `head`,
`of:<shard>` (on the shard that gathers: the totals of another one) and one for each cell of the counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, msgpack

from state.ledger import Blob, Store
from state.population import Cell, Population, Scale, Totals
from state.scores import Cuts, Publications
from state.user import User

HEAD = "head"
PUBLISHED_LIMIT = (
    8  # the latest; timers lag less than a period, and cut points come one or two before they count
)


class Head(Struct, array_like=True):
    """`scale`: how values become buckets, empty: nobody is counted; `count`: which beginning of the counters this is.

    At event time `turn_at` the next turn is due (flows/quintiles.py); months before `first_month` are over. `changed`:
    since the last turn; `gathered`: others have told of changes since. `published`: cut points and since when, also
    those to come; null: too few buyers. `version`: the last one that this shard has published, as the one that gathers.
    """

    scale: str
    count: int
    turn_at: int = 0
    first_month: int = 0
    changed: bool = False
    gathered: bool = False
    published: Publications = ()
    version: str = ""


class Buyers:
    """Of one shard; `stored` is what its ledger has."""

    def __init__(self, stored: Mapping[str, Blob]) -> None:
        self._stored = [*stored]
        self._changed: dict[str, Blob | None] = {}
        self._scale: Scale | None = None
        self.head = unpack_head(stored[HEAD]) if HEAD in stored else Head("", 0)
        self._noted = False
        self.others = {int(name[3:]): _unpack_told(b) for name, b in stored.items() if name.startswith("of:")}
        cells = {_cell_of(name): int(blob) for name, blob in stored.items() if name[0].isdigit()}
        self.population = Population(cells, self.head.first_month)

    def prepare(self, scale: Scale | None, name: str) -> None:
        """Count so from here on; None: nobody. What was counted otherwise is let go of, and begun anew."""
        if scale is self._scale and name == self.head.scale:
            return
        self._scale = scale
        if name != self.head.scale:
            self._changed = dict.fromkeys(self._stored)
            self.head, self.others, self.population = Head(name, self.head.count + 1), {}, Population({}, 0)
            self._noted = True

    # counting

    def count(self, user: User) -> None:
        """What she bought may have changed."""
        if self._scale is None:
            return
        before, head = user.own_place, self.head
        if before is not None and before.count != head.count:
            before = None
        after = self._scale.place_of(user.own_rfm, head.count)
        if after != before or after is None:
            user.own_place = self.population.move(before, after)
            self._note_move(before, user)

    def leave(self, user: User) -> None:
        """The user is about to be nobody any more: an alias, or erased."""
        if user.own_place is not None and user.own_place.count == self.head.count:
            self.population.move(user.own_place, None)
            self.note(changed=True)
        user.own_place = None

    def _note_move(self, before: Any, user: User) -> None:
        if not self.head.changed and (before is not None or user.own_place is not None):
            self.note(changed=True)

    # turns

    def note(self, **fields: Any) -> None:
        """Change the head."""
        for name, value in fields.items():
            setattr(self.head, name, value)
        self._noted = True

    def note_told(self, shard: int, at: int, totals: Totals) -> None:
        """What another shard has told as of `at`."""
        if at > self.others.get(shard, (-1, None))[0]:
            self.others[shard] = at, totals
            self._changed[f"of:{shard}"] = _encode((at, totals))
            self.note(gathered=True)

    def note_found(self, since: int, cuts: Cuts | None) -> None:
        """Cut points to be in force from `since` on; of one time the first that comes."""
        known = self.head.published
        if all(since != other for other, _ in known):
            self.note(published=tuple(sorted([*known, (since, cuts)], key=_since)[-PUBLISHED_LIMIT:]))

    # the ledger

    @property
    def changed(self) -> bool:
        return bool(self._noted or self._changed or self.population.changed)

    def take(self) -> dict[str, Blob | None]:
        """For a commit."""
        if not self.changed:
            return {}
        taken, self._changed = self._changed, {}
        for cell, buyers in self.population.take().items():
            taken[_name_of(cell)] = str(buyers).encode() if buyers else None
        if self._noted:
            taken[HEAD], self._noted = _encode(self.head), False
        return taken


def published_on(store: Store, shard: int) -> Publications:
    """As far as stored; for those who look from outside."""
    blob = store.load_buyers(shard, HEAD)
    return () if blob is None else unpack_head(blob).published


def _since(published: tuple[int, Cuts | None]) -> int:
    return published[0]


def _name_of(cell: Cell) -> str:
    month, measure, bucket = cell
    return f"{month}:{measure}:{bucket}"


def _cell_of(name: str) -> Cell:
    month, measure, bucket = name.split(":")
    return int(month), measure, int(bucket)


_encode = msgpack.Encoder().encode
unpack_head = msgpack.Decoder(Head).decode
_unpack_told = msgpack.Decoder(tuple[int, Totals]).decode
