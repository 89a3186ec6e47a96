"""What does this process know of one shard, and what of it is not in the ledger yet?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from connectors.publisher import Parcel, Progress, Resumed
from flows.buyers import Buyers
from flows.calls import Calls
from flows.merge import Merge
from flows.outbox import Outbox
from flows.timers import Timers
from state import events
from state.interest import highest_quote
from state.items import Item
from state.ledger import Commit, Opened
from state.user import User, pack, unpack

QUOTING = (events.ProductViewed, events.CartItemAdded, events.Favorited)
"""Events that may tell a user a price, or bring one who knows a price among the watchers."""

LIVE_USERS = 64  # so many fit the cache of a core, with 3 kB each

pack_item = Encoder().encode
unpack_item = Decoder(Item).decode


class Shard:
    """One partition of the input and its ledger. The unit of commit, not of routing."""

    def __init__(
        self,
        number: int,
        owner: str,
        opened: Opened,
        resumed: Resumed,
        merge: Merge,
        *,
        timers: int,
        users: int,
    ) -> None:
        self.number = number
        self.owner = owner
        self.version = opened.version
        self.clock = opened.clock
        self.watermark = opened.watermark
        self.merge = merge
        self.outbox = Outbox(number, owner, opened, resumed)
        self.timers = Timers(timers)
        self.calls = Calls(opened.calls)
        self.buyers = Buyers(opened.buyers)
        # Who is in memory, as the ledger holds them: used since the younger half became full, and in the half before.
        self.packed: dict[str, bytes] = {}
        self.packed_before: dict[str, bytes] = {}
        self.users: dict[str, User] = {}  # live, within a round: some of those packed, and who is new
        self.items: dict[str, Item] = {}
        self.quoted: dict[str, int] = {}  # the highest price that a watcher of the SKU was told
        self._users_limit = users
        # not in the ledger yet
        self.marks: dict[str, int] = {}
        self.passed: dict[str, int] = {}  # no records any more up to there; goes with the next commit
        self.dirty: dict[str, User] = {}  # live and changed
        self.changed_users: dict[str, bytes] = {}
        self.due: dict[str, int | None] = {}
        self.watching: dict[str, dict[str, int]] = {}
        self.watching_sent: dict[str, dict[str, int]] = {}  # under way
        self.unwatching: set[tuple[str, str]] = set()
        self.members: dict[tuple[str, str], bool] = {}  # by audience and user: joins, or leaves
        self.changed_items: dict[str, Item] = {}
        # on its way there, and there
        self._sent: list[tuple[Progress, bool]] = []  # how far, and whether users are still being told
        self._committed = Progress(dict(opened.marks), opened.watermark)

    # users

    def holds(self, user_id: str) -> bool:
        return user_id in self.packed or user_id in self.packed_before

    def user(self, user_id: str) -> User:
        """The user, who must be in memory; live until `put_away`."""
        user = self.users.get(user_id)
        if user is None:
            blob = self.packed.get(user_id)
            if blob is None:
                blob = self.packed[user_id] = self.packed_before[user_id]
            user = self.users[user_id] = unpack(blob) if blob else User.new(user_id)
        return user

    def turn_to(self, user_id: str) -> User:
        """The user of the next event: of those before it nobody is in hand any more."""
        if len(self.users) >= LIVE_USERS:
            self.put_away()
        return self.user(user_id)

    def admit(self, user_id: str, blob: bytes | None) -> None:
        """What the ledger holds of a user; if that is nothing, nothing is remembered too."""
        self.packed[user_id] = blob or b""

    def turn_away(self, user_id: str) -> None:
        """Keep nothing of a user who has not changed."""
        self.users.pop(user_id, None)
        del self.packed[user_id]

    def put_away(self) -> None:
        """Pack who has changed while the memory is warm, and let go of all who are live."""
        packed, changed = self.packed, self.changed_users
        for user_id, user in self.dirty.items():
            packed[user_id] = changed[user_id] = pack(user)
        self.dirty.clear()
        self.users.clear()

    @property
    def full(self) -> bool:
        """Is there something to evict?"""
        return len(self.packed) >= self._users_limit // 2 or len(self.items) > self._users_limit

    def evict(self) -> None:
        """Keep to the limit of what is remembered.

        Only what is in the ledger may go: where the shard is `full`, call when nothing is under way.
        """
        if len(self.packed) >= self._users_limit // 2 and not self.changed_users:
            self.packed, self.packed_before = {}, self.packed
        self._evict_items()

    def _evict_items(self) -> None:
        """As many items as users; an eighth more goes at once, so that this is rare."""
        limit = self._users_limit
        if len(self.items) > limit:
            clean = [sku for sku in self.items if sku not in self.changed_items]
            for sku in clean[: len(self.items) - limit + limit // 8]:
                del self.items[sku]

    # prices that users know

    def remember_quotes(self, sku: str, highest: int) -> None:
        """What is known of all who watch the SKU; from here on `note_quote` must hear of every one of them."""
        if len(self.quoted) >= self._users_limit:
            self.quoted.clear()
        self.quoted[sku] = highest

    def note_quote(self, user: User, sku: str) -> None:
        highest = self.quoted.get(sku)
        if highest is not None and (told := highest_quote(user, sku)) > highest:
            self.quoted[sku] = told

    # changes

    def set_due(self, user_id: str, due: int | None) -> None:
        self.due[user_id] = due
        if due is not None:
            self.timers.set(user_id, due)

    def write(
        self,
        topic: str,
        entry_id: str,
        key: bytes | None,
        value: bytes,
        headers: list[tuple[str, bytes]],
        *,
        partition: int | None = None,
        user_id: str | None = None,
        rule: str = "",
        at: int = 0,
    ) -> None:
        """Put one record into the outbox: (topic, partition, id) tells it from every other, the same after a replay."""
        to = self.number if partition is None else partition
        self.outbox.write(
            topic, entry_id, key, value, headers, partition=to, user_id=user_id, rule=rule, at=at
        )

    def forget_user(self, user_id: str, watched: Iterable[str], audiences: Iterable[str]) -> None:
        """Take back what is not out yet, and that the user watches SKUs and belongs to audiences."""
        self.outbox.forget_user(user_id)
        self.members.update({(audience, user_id): False for audience in audiences})
        for sku in watched:
            self.watching.get(sku, {}).pop(user_id, None)
            self.unwatching.add((sku, user_id))

    @property
    def changed(self) -> bool:
        return bool(
            self.marks
            or self.dirty
            or self.changed_users
            or self.outbox.changed
            or self.due
            or self.changed_items
            or self.members
            or self.calls.changed
            or self.buyers.changed
        )

    def commit(self) -> Commit:
        """Everything not in the ledger yet, as one commit; from here on it is under way."""
        self.put_away()
        taken = self.outbox.take()
        for mark, offset in self.passed.items():
            self.marks[mark] = max(offset, self.marks.get(mark, -1))
        commit = Commit(
            owner=self.owner,
            version=self.version,
            marks=self.marks,
            clock=self.clock,
            watermark=self.watermark,
            users=self.changed_users,
            timers=self.due,
            watchers=self.watching,
            unwatch=sorted(self.unwatching),
            joins=[member for member, joins in self.members.items() if joins],
            leaves=[member for member, joins in self.members.items() if not joins],
            calls=self.calls.take(),
            buyers=self.buyers.take(),
            items={sku: pack_item(item) for sku, item in self.changed_items.items()},
            outbox=taken.entries,
            seq=taken.seq,
            trim=taken.trim,
            trimmed_to=taken.trimmed_to,
            scan_from=taken.scan_from,
        )
        self.version += 1
        self._sent.append((Progress(self.marks, self.watermark), bool(self.calls.under_way)))
        self.marks, self.passed, self.changed_users, self.due = {}, {}, {}, {}
        self.watching_sent = self.watching
        self.watching, self.unwatching, self.members, self.changed_items = {}, set(), {}, {}
        return commit

    def acknowledged(self) -> None:
        """The oldest commit under way is in the ledger: its records may be published."""
        sent, telling = self._sent.pop(0)
        self.watching_sent = {}
        self._committed.marks.update(sent.marks)
        self._committed.watermark = sent.watermark
        self.outbox.acknowledged(self._committed, telling=telling)

    @property
    def busy(self) -> bool:
        """Is anything still to be said, not in the ledger, or in the ledger and not out?"""
        return self.changed or self.outbox.waiting or bool(self._sent or self.calls.under_way)

    def parcel(self, *, offsets: bool, journal: bool) -> Parcel | None:
        """What may go out now, if anything."""
        return self.outbox.parcel(self._committed, offsets=offsets, journal=journal)


class ShardBatch(Struct):
    """What one shard's merge released: items (events and dead letters) in order, marks, and the watermark.

    `passing`: how far time may pass between the items; further than the watermark where there is no more to read.
    `ties`: so many timers may fire of those that are due at the very moment of the watermark.
    """

    shard: Shard
    items: list[Any]
    marks: dict[str, int]
    watermark: int
    passing: int
    ties: int = 0
