"""How does a record get out exactly once? The publishing protocol, over whatever can do transactions.

All shards of a process publish in one transaction, which also commits the shards' input offsets together with
a cursor: the label of the last entry published. So after any crash the cursor says exactly what is out. Only
where the ledger has forgotten what it acknowledged is that not enough; then the journal, one record per
transaction and shard with the ids of all it published, says which entries must not come again.
Steps, and what each is worth: reliability, "the protocol" (1.3, 1.4); docs/guarantees.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import structlog
from msgspec import Struct, field

from connectors import metrics
from state.calls import unpack_call
from state.ledger import Entry, Opened

log = structlog.get_logger("publisher")


class Progress(Struct):
    """How far a shard has come as outsiders know it: the last offset by mark, and the watermark of its timers."""

    marks: dict[str, int] = {}
    watermark: int = -1

    def reaches(self, other: Progress) -> bool:
        if self.watermark < other.watermark:
            return False
        return all(self.marks.get(mark, -1) >= offset for mark, offset in other.marks.items())

    def most(self, other: Progress) -> Progress:
        marks = {mark: max(offset, self.marks.get(mark, -1)) for mark, offset in other.marks.items()}
        return Progress({**self.marks, **marks}, max(self.watermark, other.watermark))


class Parcel(Struct):
    """What one shard sends: entries in outbox order, how far they bring it, the cursor before and after.

    `journal`: note it in the journal; always with entries, and now and then without, so that a scan stays short.
    """

    shard: int
    entries: list[Entry]
    progress: Progress
    cursor_before: str
    cursor: str
    journal: bool


class Committed(Struct):
    """What the consumer group holds of one shard. `cursor` None: it has never committed, or its offsets are lost."""

    cursor: str | None
    progress: Progress


class Resumed(Struct):
    """Where a just opened shard stands.

    `left`: the entries of its outbox that are not out yet. `rewrite`: the ledger must hold exactly these, under new
    labels, before any of them goes out. `skip`: ids already out; what makes them again before the shard reaches
    `horizon` (how far it had come when it last published), and has told of all calls up to there, does not enter the
    outbox.
    """

    left: list[Entry]
    cursor: str
    rewrite: bool = False
    skip: set[str] = field(default_factory=set)
    horizon: Progress = field(default_factory=Progress)


class Publisher(Protocol):
    """`name`: under which it publishes. `trouble`: why nothing goes out at the moment, in words, if anything."""

    name: str
    trouble: str | None

    def resume(self, opened: Mapping[int, Opened]) -> dict[int, Resumed]: ...

    def begin(self, parcels: Sequence[Parcel]) -> None:
        """Send all of it; what comes of that is heard by `outcome`, before which nothing else may begin."""

    def outcome(self, *, wait: bool) -> Mapping[int, int] | None:
        """None while it is on its way, unless told to wait; then all of it is out.

        Answers with the place of each shard's journal record where that is known. Raises Fenced if these shards are no
        longer ours (nothing is out then), LogUnavailable if nobody knows.
        """

    def close(self) -> None: ...


class Transactions(Protocol):
    """What the protocol needs of a broker. All may raise LogUnavailable, and LogError where waiting is no use."""

    name: str

    def committed(self, shards: Collection[int], predecessors: Collection[str]) -> dict[int, Committed]:
        """The group's offsets once no transaction about them is pending; a predecessor that leaves one so is fenced."""

    def scan(self, starts: Mapping[int, int]) -> dict[int, set[str]]:
        """Ids in each shard's journal from a position (-1: its beginning) to its end as of now, pending ones too."""

    def begin(self, parcels: Sequence[Parcel]) -> None:
        """All parcels in one transaction, which goes on aside."""

    def outcome(self, *, wait: bool) -> dict[int, int] | None:
        """None while it goes on, unless told to wait. Raises Fenced (nothing is out) or UnknownOutcome."""

    def renew(self) -> None:
        """A new producer epoch: a transaction whose end is still on its way cannot come true any more."""

    def close(self) -> None: ...


class Fenced(Exception):
    """The group has given our shards to somebody else; nothing of this round is out."""


class UnknownOutcome(Exception):
    """The transaction may be out or not; the text is why nobody can tell."""


class LostState(Exception):
    """A shard's ledger is empty though the group has published for it."""

    def __init__(self, shard: int, cursor: str) -> None:
        super().__init__(
            f"shard {shard}: the consumer group has published up to {cursor or 'some offsets'}, but its ledger is "
            "empty. Is this the right Redis, database and `app`? If its state is lost: restore Redis, or run "
            "`beckon rebuild`, which makes it again from the topics"
        )


def cursor_of(entry: Entry) -> str:
    """The label of an entry, as the cursor carries it."""
    return f"{entry.token}:{entry.seq}"


def journal_id(topic: str, partition: int | None, entry_id: str) -> str:
    """What tells one record from every other: its topic, its partition and its id there."""
    return f"{topic}/{partition}/{entry_id}"


class OutboxPublisher:
    """The protocol; `transactions` is what it stands on."""

    def __init__(self, transactions: Transactions) -> None:
        self.name = transactions.name
        self.trouble: str | None = None
        self._unsettled = False
        self._sent: Sequence[Parcel] = ()  # what comes of them is not known yet
        self._transactions = transactions

    def resume(self, opened: Mapping[int, Opened]) -> dict[int, Resumed]:
        """Steps 4 to 6 of the protocol, for shards whose ledgers have just become ours (step 3)."""
        self._let_go()
        predecessors = {each.publisher for each in opened.values()} - {"", self.name}
        if self._unsettled:
            self._renew()
        found = self._transactions.committed(opened.keys(), predecessors)
        self.trouble = None
        resumed, doubtful = {}, {}
        for shard, ledger in opened.items():
            group = found[shard]
            if group.cursor is not None and not ledger.marks and ledger.scan_from < 0:
                raise LostState(shard, group.cursor)
            place = _place(group.cursor, ledger)
            if place is None or _is_behind(ledger, group) or _is_telling(ledger):
                doubtful[shard] = ledger
            else:
                resumed[shard] = Resumed(ledger.outbox[place:], group.cursor or "", horizon=group.progress)
        return resumed | self._resume_by_journal(doubtful, found)

    def begin(self, parcels: Sequence[Parcel]) -> None:
        self._transactions.begin(parcels)
        self._sent = parcels

    def outcome(self, *, wait: bool) -> Mapping[int, int] | None:
        sent, self._sent = self._sent, ()
        while True:
            try:
                positions = self._transactions.outcome(wait=wait)
            except UnknownOutcome as error:
                why = str(error)
            else:
                if positions is None:
                    self._sent = sent
                else:
                    metrics.PUBLISH_TRANSACTIONS.labels(result="ok").inc()
                return positions
            if self._settle(why, sent):  # out of the handler: it calls the client (connectors/answers.py)
                return {}
            self._transactions.begin(sent)

    def close(self) -> None:
        self._transactions.close()

    def _let_go(self) -> None:
        """Of what was on its way for shards as they were opened before: it must not come true after we have asked."""
        if not self._sent:
            return
        self._sent = ()
        try:
            self._transactions.outcome(wait=True)
        except Fenced:
            return
        except UnknownOutcome:
            self._unsettled = True

    def _renew(self) -> None:
        """What an unknown outcome left behind may come true until there is a new epoch: never ask before."""
        self._transactions.renew()
        self._unsettled = False

    def _resume_by_journal(
        self, doubtful: Mapping[int, Opened], found: Mapping[int, Committed]
    ) -> dict[int, Resumed]:
        """The ledger lost a tail, or may not have caught up again since it did, or the group lost its offsets."""
        if not doubtful:
            return {}
        scanned = self._transactions.scan({shard: each.scan_from for shard, each in doubtful.items()})
        resumed = {}
        for shard, ledger in doubtful.items():
            group, ids = found[shard], scanned[shard]
            left = [e for e in ledger.outbox if journal_id(e.topic, e.partition, e.id) not in ids]
            if _place(group.cursor, ledger) is None or _is_behind(ledger, group):
                _note_doubt(shard, group, len(ids), len(ledger.outbox), len(left))
            resumed[shard] = Resumed(left, group.cursor or "", True, ids, group.progress)
        return resumed

    def _settle(self, why: str, parcels: Sequence[Parcel]) -> bool:
        """Step 10, after an unknown outcome: True if it is out after all, False if it must be published again.

        LogUnavailable where nobody answers: the shards are opened again then, by a new consumer if need be.
        """
        metrics.PUBLISH_TRANSACTIONS.labels(result="unknown").inc()
        log.warning("publishing did not succeed, asking what is out", error=why)
        self.trouble = f"publishing: {why}"
        self._unsettled = True
        self._renew()
        found = self._transactions.committed([parcel.shard for parcel in parcels], ())
        self.trouble = None
        return _is_out(parcels, found)


def _place(cursor: str | None, ledger: Opened) -> int | None:
    """How many entries of the outbox are out, by the cursor; None where the ledger does not know it."""
    if not ledger.marks:  # the very beginning, unless the state was lost and is to be made again
        return 0 if cursor is None and ledger.scan_from < 0 else None
    if cursor == ledger.trimmed_to:
        return 0
    for at, entry in enumerate(ledger.outbox):
        if cursor == cursor_of(entry):
            return at + 1
    return None  # also where state has no cursor any more: the group's offsets are lost


def _note_doubt(shard: int, group: Committed, published: int, outbox: int, left: int) -> None:
    counts = {"shard": shard, "published_since": published, "outbox": outbox, "left": left}
    if group.cursor is None:
        log.info("the group has committed nothing yet, or lost it: the journal says what is out", **counts)
        return
    metrics.COMMIT_CONFLICTS.labels(kind="rollback").inc()
    log.warning(
        "Redis has lost a tail of what it acknowledged: the journal says what is out already", **counts
    )


def _is_behind(ledger: Opened, group: Committed) -> bool:
    """It has been further already when it published: what it will do again may be out."""
    return not Progress(ledger.marks, ledger.watermark).reaches(group.progress)


def _is_telling(ledger: Opened) -> bool:
    """Many are being told of something: that goes on after the marks, and so may be behind though they are not."""
    return any(not unpack_call(call).done for call in ledger.calls.values())


def _is_out(parcels: Sequence[Parcel], found: Mapping[int, Committed]) -> bool:
    """A transaction is out whole or not at all; a cursor that is neither is somebody else's."""
    cursors = {shard: each.cursor or "" for shard, each in found.items()}
    if all(cursors[parcel.shard] == parcel.cursor for parcel in parcels):
        return True
    if all(cursors[parcel.shard] == parcel.cursor_before for parcel in parcels):
        return False
    raise Fenced("somebody else has published for these shards")
