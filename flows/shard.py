"""What does this process know of one shard, and what of it is not in the ledger yet?"""

from __future__ import annotations

from msgspec.msgpack import Decoder, Encoder

from connectors.publisher import Parcel, Resumed, cursor_of
from flows.merge import Merge
from flows.timers import Timers
from state.items import Item
from state.ledger import Commit, Entry, Opened
from state.user import User, pack, unpack

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
        self.seq = opened.seq
        self.clock = opened.clock
        self.merge = merge
        self.timers = Timers(timers)
        self.users: dict[str, User] = {}
        self.packed: dict[str, bytes] = {}
        self.items: dict[str, Item] = {}
        self._users_limit = users
        # not in the ledger yet
        self.marks: dict[str, int] = {}
        self.dirty: dict[str, User] = {}
        self.due: dict[str, int | None] = {}
        self.watching: dict[str, dict[str, int]] = {}
        self.changed_items: dict[str, Item] = {}
        self.entries: list[Entry] = []
        # in the ledger, on the way out
        self.sent: list[list[Entry]] = []
        self.acked = resumed.left
        # What the group's offsets say is not known: whoever was here before may have died in between.
        self.published_marks: dict[str, int] = {}
        self.committed_marks = dict(opened.marks)
        self._sent_marks: list[dict[str, int]] = []
        self.cursor = resumed.cursor
        self.trimmed_to = opened.trimmed_to
        # What is out of the outbox already leaves it together with the rest: the files of a file log may
        # hold it with gaps, and a trim takes from the head.
        out = len(opened.outbox) - len(resumed.left)
        self.trim, self._out_already = (0, out) if resumed.left else (out, 0)

    # users

    def known(self, user_id: str) -> User | None:
        """The user if in memory; a packed one is unpacked."""
        user = self.users.get(user_id)
        if user is None:
            blob = self.packed.pop(user_id, None)
            if blob is not None:
                user = self.users[user_id] = unpack(blob)
        return user

    def admit(self, user_id: str, blob: bytes | None) -> User:
        user = self.users[user_id] = User.new(user_id) if blob is None else unpack(blob)
        return user

    def evict(self) -> int:
        """Keep to the limit: half of the users live, as many packed again; the longest unloaded go first.

        Only users whose last change is in the ledger may go; call when nothing is under way.
        """
        self._evict_items()
        live = self._users_limit // 2
        surplus = len(self.users) - live
        if surplus <= 0:
            return 0
        gone = 0
        for user_id in [u for u in self.users if u not in self.dirty][: surplus + live // 4]:
            self.packed[user_id] = pack(self.users.pop(user_id))
        while len(self.packed) > self._users_limit - live:
            del self.packed[next(iter(self.packed))]
            gone += 1
        return gone

    def _evict_items(self) -> None:
        """As many items as users; an eighth more goes at once, so that this is rare."""
        limit = self._users_limit
        if len(self.items) > limit:
            clean = [sku for sku in self.items if sku not in self.changed_items]
            for sku in clean[: len(self.items) - limit + limit // 8]:
                del self.items[sku]

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
        """Put one record into the outbox; it goes out after the commit that holds it."""
        self.seq += 1
        to = self.number if partition is None else partition
        self.entries.append(
            Entry(self.owner, self.seq, entry_id, topic, to, key, value, headers, user_id, rule, at)
        )

    @property
    def changed(self) -> bool:
        return bool(self.marks or self.dirty or self.entries or self.trim or self.due or self.changed_items)

    def commit(self) -> Commit:
        """Everything not in the ledger yet, as one commit; from here on it is under way."""
        commit = Commit(
            owner=self.owner,
            version=self.version,
            marks=self.marks,
            clock=self.clock,
            users={user_id: pack(user) for user_id, user in self.dirty.items()},
            timers=self.due,
            watchers=[(sku, user, at) for sku, users in self.watching.items() for user, at in users.items()],
            items={sku: pack_item(item) for sku, item in self.changed_items.items()},
            outbox=self.entries,
            seq=self.seq,
            trim=self.trim,
            trimmed_to=self.trimmed_to if not self.trim else self.cursor,
        )
        self.version += 1
        self.sent.append(self.entries)
        self._sent_marks.append(self.marks)
        if self.trim:
            self.trim, self.trimmed_to = 0, self.cursor
        self.marks, self.dirty, self.due, self.watching, self.changed_items, self.entries = (
            {},
            {},
            {},
            {},
            {},
            [],
        )
        return commit

    def acknowledged(self) -> None:
        """The oldest commit under way is in the ledger: its records may be published."""
        self.acked += self.sent.pop(0)
        self.committed_marks.update(self._sent_marks.pop(0))

    @property
    def unpublished(self) -> int:
        """Records decided and not out yet."""
        return len(self.entries) + len(self.acked) + sum(map(len, self.sent))

    def parcel(self) -> Parcel:
        """What may go out now: everything acknowledged, and the cursor for when it is out."""
        cursor = cursor_of(self.acked[-1]) if self.acked else self.cursor
        return Parcel(self.number, self.acked, self.committed_marks, self.cursor, cursor)

    def published(self) -> None:
        """Everything acknowledged is out."""
        if self.acked:
            self.cursor = cursor_of(self.acked[-1])
            self.trim += self._out_already + len(self.acked)
            self._out_already = 0
            self.acked = []
        self.published_marks = dict(self.committed_marks)
