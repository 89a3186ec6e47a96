"""Which records of a shard are on their way out, and how far is each: decided, in the ledger, published?

An entry goes out only after the commit that holds it. The head of the ledger's outbox that is out leaves it with
the next commit. Where the ledger's outbox cannot stay as it is (entries in it are out already, or their user is
erased) the next commit rewrites it: all of it leaves, what is still to go out comes back under new labels.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from connectors.publisher import Parcel, Progress, Resumed, cursor_of, journal_id
from state.ledger import Entry, Opened


class Taken(Struct):
    """What a commit does to the ledger's outbox: so many leave its head, these come to its end."""

    trim: int
    entries: list[Entry]
    trimmed_to: str
    seq: int
    scan_from: int


class Outbox:
    """`owner` is the token of this opening, the first half of every label."""

    def __init__(self, shard: int, owner: str, opened: Opened, resumed: Resumed) -> None:
        self._shard = shard
        self._owner = owner
        self._seq = opened.seq
        self.fresh: list[Entry] = []
        self._sent: list[list[Entry]] = []
        self._acked = [*resumed.left]
        self._going = 0  # so many of the acknowledged, from the oldest on, are with the publisher
        self._stored = len(opened.outbox)
        self._out = 0 if resumed.rewrite else len(opened.outbox) - len(resumed.left)
        self._rewrite = resumed.rewrite
        self._skip = resumed.skip
        self._horizon = resumed.horizon
        self._cursor = resumed.cursor
        self._scan_from = opened.scan_from
        # Until the shard has come as far as when it last published, what it does is done again. Where nobody knows how
        # far that was (the group has lost its offsets), what is out stays skipped for as long as the shard is ours.
        so_far = Progress(opened.marks, opened.watermark)
        self._behind = bool(resumed.skip and resumed.horizon.marks) or not so_far.reaches(resumed.horizon)
        if resumed.rewrite:
            self._hold_back(self._acked)

    def write(
        self,
        topic: str,
        entry_id: str,
        key: bytes | None,
        value: bytes,
        headers: list[tuple[str, bytes]],
        *,
        partition: int,
        user_id: str | None = None,
        rule: str = "",
        at: int = 0,
    ) -> None:
        """One record; it goes out after the commit that holds it, unless the journal says that it is out."""
        if self._skip and journal_id(topic, partition, entry_id) in self._skip:
            return
        self._seq += 1
        self.fresh.append(
            Entry(self._owner, self._seq, entry_id, topic, partition, key, value, headers, user_id, rule, at)
        )

    def forget_user(self, user_id: str) -> None:
        """Take back what is not out yet; also what is in the ledger, with the next commit. What is going goes."""
        left = [*self._acked[self._going :], *(entry for sent in self._sent for entry in sent), *self.fresh]
        stays = [entry for entry in left if entry.user_id != user_id]
        if len(stays) < len(left):
            self._hold_back(stays)

    @property
    def changed(self) -> bool:
        """Has the next commit something to do here?"""
        return bool(self.fresh or self._out or self._rewrite)

    @property
    def waiting(self) -> bool:
        """Is anything in the ledger that is not out?"""
        return bool(self._acked or self._sent)

    def __len__(self) -> int:
        """Records decided and not out yet."""
        return len(self.fresh) + len(self._acked) + sum(map(len, self._sent))

    @property
    def oldest(self) -> Entry | None:
        """Of those decided and not out yet."""
        for entries in (self._acked, *self._sent, self.fresh):
            if entries:
                return entries[0]
        return None

    # the ledger

    def take(self) -> Taken:
        """For a commit; what it takes is under way until `acknowledged`."""
        trim = self._stored if self._rewrite else self._out
        entries = [*self._acked, *self.fresh] if self._rewrite else self.fresh
        taken = Taken(trim, entries, self._cursor, self._seq, self._scan_from)
        self._stored += len(entries) - trim
        self._sent.append(self.fresh)
        self.fresh, self._out, self._rewrite = [], 0, False
        return taken

    def acknowledged(self, progress: Progress, *, telling: bool = False) -> None:
        """The oldest commit under way is in the ledger, which has come so far.

        `telling`: of what it has read it has still to tell users (flows/crier.py), some of whom may have been told.
        """
        self._acked += self._sent.pop(0)
        if self._behind and not telling and progress.reaches(self._horizon):
            self._behind, self._skip = False, set()

    # the publisher

    def parcel(self, progress: Progress, *, offsets: bool, journal: bool) -> Parcel | None:
        """What may go out now; with `offsets` also where only the input has moved on, with `journal` in any case.

        It is going from then on, until `published`.
        """
        most = self._horizon.most(progress)
        moved = offsets and most.marks != self._horizon.marks
        if not (self._acked or moved or journal):
            return None
        cursor = cursor_of(self._acked[-1]) if self._acked else self._cursor
        self._going = len(self._acked)
        return Parcel(self._shard, [*self._acked], most, self._cursor, cursor, bool(self._acked) or journal)

    def published(self, parcel: Parcel, position: int | None) -> None:
        """The parcel is out; `position`: of its record in the journal, if it has one and that is known."""
        self._cursor = parcel.cursor
        self._horizon = parcel.progress
        self._out += len(parcel.entries)
        del self._acked[: len(parcel.entries)]
        self._going = 0
        if position is not None and not self._behind:
            self._scan_from = position

    # rewriting

    def _hold_back(self, entries: Sequence[Entry]) -> None:
        """Publish nothing more of the ledger's outbox until it is rewritten to hold what is going, and these."""
        self.fresh = []
        for entry in entries:
            self._seq += 1
            self.fresh.append(replace(entry, token=self._owner, seq=self._seq))
        del self._acked[self._going :]
        self._sent, self._rewrite = [[] for _ in self._sent], True
