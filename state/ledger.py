"""Where does a shard's state live between events? The Ledger protocol; in memory and in Redis: the modules beside it.

A shard is one partition of the input; its ledger is the unit of commit. Everything a commit changes
(owner and version, marks, users, timers, watchers, audiences, calls, buyers, items, outbox) changes together or
not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

Blob = bytes
"""A packed User or Item."""
Place = tuple[int, str]
"""A shard, and what is asked of it: a user, a SKU."""


class Entry(Struct, array_like=True, gc=False):
    """One record waiting for its topic; (`token`, `seq`) label it in the outbox, `id` survives relabelling.

    A trigger also says its `rule` and the event time `at` which it became due, for the latency's sake.
    """

    token: str
    seq: int
    id: str
    topic: str
    partition: int | None
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]] = []
    user_id: str | None = None
    rule: str = ""
    at: int = 0


class Opened(Struct):
    """What a new owner finds. `marks`: by "topic/partition", the last offset that is in the state.

    `clock`: the latest event time, `watermark`: up to when timers have fired. `trimmed_to`: the cursor when the
    outbox was last trimmed; `scan_from`: no record published before this place of the journal may come again
    (-1: never said). `publisher`: the name under which the owner before published. `calls`, `buyers`: as in Commit.
    """

    version: int
    marks: dict[str, int] = {}
    clock: int = -1
    watermark: int = -1
    seq: int = 0
    trimmed_to: str = ""
    scan_from: int = -1
    publisher: str = ""
    outbox: list[Entry] = []
    calls: dict[str, Blob] = {}
    buyers: dict[str, Blob] = {}


class Commit(Struct):
    """One atomic change of a shard, on condition that (`owner`, `version`) are still what the caller knows.

    `users`: packed blobs by id. `timers`: due time by user id, None removes. `watchers`: by SKU and user since when,
    `unwatch`: (sku, user) who no longer is one. `joins` and `leaves`: (audience, user). `calls`: what is called out to
    many and is not over, by name, None removes; `buyers`: counters of buyers and cut points, likewise. `trim`: how many
    entries leave the head of the outbox.
    """

    owner: str
    version: int
    marks: dict[str, int] = {}
    clock: int = -1
    watermark: int = -1
    users: dict[str, Blob] = {}
    timers: dict[str, int | None] = {}
    watchers: dict[str, dict[str, int]] = {}
    unwatch: list[tuple[str, str]] = []
    joins: list[tuple[str, str]] = []
    leaves: list[tuple[str, str]] = []
    calls: dict[str, Blob | None] = {}
    items: dict[str, Blob] = {}
    outbox: list[Entry] = []
    seq: int = 0
    trim: int = 0
    trimmed_to: str = ""
    scan_from: int = -1
    buyers: dict[str, Blob | None] = {}


class Found(NamedTuple):
    """Each list in the order asked."""

    users: list[Blob | None]
    watchers: list[list[str]]
    owners: list[str]


class Ledger(Protocol):
    """Loads are by shard number; every list answer is in the order asked."""

    def prepare(self, shards: int, layout: int) -> None:
        """Record the shape of the state at first start, and raise its layout where an older release has recorded it.

        LedgerError if it has other shards or a newer layout. Before the first `open`.
        """

    def stanzas(self) -> dict[str, str]:
        """Settings that rules have had, by "rule:number" (triggers/stanzas.py)."""

    def keep_stanzas(self, new: Mapping[str, str], over: Sequence[str]) -> None:
        """Forget those `over`, and keep the new ones where nothing is kept yet."""

    def open(self, shard: int, owner: str, publisher: str = "") -> Opened:
        """Become the owner: the random token fences every earlier owner's commits.

        From then on no older release may: raises NewerLayout where a newer one has been the owner.
        """

    def begin_commit(self, shard: int, commit: Commit) -> None:
        """Send a commit; its answer is read by `finish_commits`, in order."""

    def finish_commits(self) -> list[bool]:
        """Answers of all commits begun: False where another owner or version was found (nothing changed)."""

    def abandon_commits(self) -> None:
        """Nobody will ask what became of the commits begun."""

    def owners(self, shards: Sequence[int]) -> list[str]:
        """Whose each shard is now: what was read before is ours only if it still is."""

    def look_up(
        self, users: Sequence[Place], watched: Sequence[Place], limit: int, shards: Sequence[int]
    ) -> Found:
        """All that a batch needs, in one round trip: as `load_users`, `load_watchers` and, after them, `owners`."""

    def load_users(self, asked: Sequence[tuple[int, str]]) -> list[Blob | None]:
        """Users by (shard, user id), in one round trip."""

    def load_items(self, skus: Sequence[tuple[int, str]]) -> list[Blob | None]:
        """Item facts by (shard, sku), whoever owns the shard."""

    def load_timers(self, shard: int, after: int, limit: int) -> list[tuple[int, str]]:
        """The next timers due later than `after`, in order: `limit` of them and all tied with the last."""

    def load_watchers(self, asked: Sequence[tuple[int, str]], limit: int) -> list[list[str]]:
        """By (shard, SKU): users who lately watched it, the latest first."""

    def load_audience(self, shard: int, audience: str, after: str, limit: int) -> list[str]:
        """The next users of an audience by id, from the one after `after`; "" is before all."""

    def claim(self, shard: int, key: str, claimant: str, limit: int) -> bool:
        """Take one of `limit` places; the same claimant may ask again and has it still."""

    def close(self) -> None: ...


class Store(Ledger, Protocol):
    """A ledger, and what is asked of all its shards before the flow begins."""

    def dangers(self) -> list[str]:
        """In which ways it may lose what it acknowledges, with what helps; none that the operator has accepted."""

    def recorded(self) -> dict[str, str]:
        """What earlier starts kept, by name: `shards`, `layout` and the origin of the input. Empty before the first."""

    def record(self, origin: Mapping[str, str]) -> None:
        """Keep where the input comes from, by name, where nothing is kept yet."""

    def peek(self, shard: int) -> Opened:
        """Of what a new owner would find `version`, `marks` and `scan_from`; changes nothing."""

    def load_buyers(self, shard: int, field: str) -> Blob | None:
        """One field of `buyers`, whoever owns the shard."""

    def in_use(self) -> set[int]:
        """The shards of which anything is kept; looks at every key, so only for rare use."""


class LedgerError(Exception):
    """The store cannot be used as it is; the text tells an operator why and what to do."""


class NewerLayout(LedgerError):
    """A later release has written it: what an index means may have changed, so nothing of it is believed."""

    def __init__(self, what: str, found: int, layout: int) -> None:
        super().__init__(
            f"{what} has layout {found}, but this version of beckon reads layouts up to {layout}: a newer release runs "
            "on this state. Run that one everywhere, or go back to the Redis of before it (docs/upgrade.md)"
        )


def shape_problems(recorded: Mapping[str, str], shards: int, layout: int) -> list[str]:
    """In what the recorded shape is not one to go on from, in words; an older layout is one."""
    found = []
    if recorded.get("shards", str(shards)) != str(shards):
        found.append(
            f"it has {recorded['shards']} shards, but {shards} are configured (partitions of the letters topic): the "
            "number is fixed at first start. Restore it, or begin anew under another `app`"
        )
    if int(recorded.get("layout", layout)) > layout:
        found.append(str(NewerLayout("it", int(recorded["layout"]), layout)))
    return found
