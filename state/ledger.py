"""Where does a shard's state live between events? The Ledger protocol, and one in memory.

A shard is one partition of the input; its ledger is the unit of commit. Everything a commit changes
(owner and version, marks, users, timers, watchers, items, outbox) changes together or not at all.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

Blob = bytes
"""A packed User or Item."""


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
    """What a new owner finds. `marks`: by "topic/partition", the last offset that is in the state."""

    version: int
    marks: dict[str, int]
    clock: int
    seq: int
    trimmed_to: str
    outbox: list[Entry]


class Commit(Struct):
    """One atomic change of a shard, on condition that (`owner`, `version`) are still what the caller knows.

    `users`: packed blobs by id. `timers`: due time by user id, None removes. `watchers`: (sku, user, at).
    `trim`: how many entries leave the head of the outbox because they are published.
    """

    owner: str
    version: int
    marks: dict[str, int] = {}
    clock: int = -1
    users: dict[str, Blob] = {}
    timers: dict[str, int | None] = {}
    watchers: list[tuple[str, str, int]] = []
    items: dict[str, Blob] = {}
    outbox: list[Entry] = []
    seq: int = 0
    trim: int = 0
    trimmed_to: str = ""


class Ledger(Protocol):
    """Loads are by shard number; every list answer is in the order asked."""

    def prepare(self, shards: int, layout: int) -> None:
        """Store the shape of the state at first start; raise LedgerError if it is another one."""

    def open(self, shard: int, owner: str) -> Opened:
        """Become the owner: the random token fences every earlier owner's commits."""

    def begin_commit(self, shard: int, commit: Commit) -> None:
        """Send a commit; its answer is read by `finish_commits`, in order."""

    def finish_commits(self) -> list[bool]:
        """Answers of all commits begun: False where another owner or version was found (nothing changed)."""

    def abandon_commits(self) -> None:
        """Nobody will ask what became of the commits begun."""

    def load_users(self, asked: Sequence[tuple[int, str]]) -> list[Blob | None]:
        """Users by (shard, user id), in one round trip."""

    def load_items(self, skus: Sequence[tuple[int, str]]) -> list[Blob | None]:
        """Item facts by (shard, sku), whoever owns the shard."""

    def load_timers(self, shard: int, after: int, limit: int) -> list[tuple[int, str]]:
        """The next timers due later than `after`, in order: `limit` of them and all tied with the last."""

    def load_watchers(self, shard: int, sku: str, limit: int) -> list[str]:
        """Users who lately watched a SKU, the latest first."""

    def claim(self, shard: int, key: str, claimant: str, limit: int) -> bool:
        """Take one of `limit` places; the same claimant may ask again and has it still."""

    def close(self) -> None: ...


class LedgerError(Exception):
    """The store cannot be used as it is; the text tells an operator why and what to do."""


class _Shard(Struct):
    owner: str = ""
    version: int = 0
    marks: dict[str, int] = {}
    clock: int = -1
    seq: int = 0
    trimmed_to: str = ""
    users: dict[str, Blob] = {}
    items: dict[str, Blob] = {}
    due: dict[str, int] = {}
    timers: list[tuple[int, str]] = []
    watchers: dict[str, dict[str, int]] = {}
    outbox: list[Entry] = []
    claims: dict[str, set[str]] = {}


class MemoryLedger:
    """For replay and tests: what RedisLedger does, in dictionaries."""

    def __init__(self, watchers_per_sku: int) -> None:
        self._watchers_per_sku = watchers_per_sku
        self._shards: dict[int, _Shard] = {}
        self._answers: list[bool] = []
        self._shape: tuple[int, int] | None = None

    def prepare(self, shards: int, layout: int) -> None:
        if self._shape is not None and self._shape != (shards, layout):
            raise LedgerError(f"the state has (shards, layout) {self._shape}, not {(shards, layout)}")
        self._shape = (shards, layout)

    def open(self, shard: int, owner: str) -> Opened:
        kept = self._shard(shard)
        kept.owner, kept.version = owner, kept.version + 1
        return Opened(kept.version, dict(kept.marks), kept.clock, kept.seq, kept.trimmed_to, [*kept.outbox])

    def begin_commit(self, shard: int, commit: Commit) -> None:
        kept = self._shard(shard)
        if (kept.owner, kept.version) != (commit.owner, commit.version):
            self._answers.append(False)
            return
        kept.version += 1
        kept.marks.update(commit.marks)
        kept.clock = max(kept.clock, commit.clock)
        kept.users.update(commit.users)
        kept.items.update(commit.items)
        for user_id, due in commit.timers.items():
            self._set_timer(kept, user_id, due)
        for sku, user_id, at in commit.watchers:
            self._watch(kept, sku, user_id, at)
        if commit.trim:
            del kept.outbox[: commit.trim]
            kept.trimmed_to = commit.trimmed_to
        kept.outbox.extend(commit.outbox)
        kept.seq = max(kept.seq, commit.seq)
        self._answers.append(True)

    def finish_commits(self) -> list[bool]:
        answers, self._answers = self._answers, []
        return answers

    def abandon_commits(self) -> None:
        self._answers = []

    def load_users(self, asked: Sequence[tuple[int, str]]) -> list[Blob | None]:
        return [self._shard(shard).users.get(user_id) for shard, user_id in asked]

    def load_items(self, skus: Sequence[tuple[int, str]]) -> list[Blob | None]:
        return [self._shard(shard).items.get(sku) for shard, sku in skus]

    def load_timers(self, shard: int, after: int, limit: int) -> list[tuple[int, str]]:
        timers = self._shard(shard).timers
        first = bisect_left(timers, (after + 1, ""))
        last = first + limit
        while first < last < len(timers) and timers[last][0] == timers[last - 1][0]:
            last += 1
        return timers[first:last]

    def load_watchers(self, shard: int, sku: str, limit: int) -> list[str]:
        watchers = self._shard(shard).watchers.get(sku, {})
        return sorted(watchers, key=lambda user: (-watchers[user], user))[:limit]

    def claim(self, shard: int, key: str, claimant: str, limit: int) -> bool:
        places = self._shard(shard).claims.setdefault(key, set())
        if claimant not in places and len(places) < limit:
            places.add(claimant)
        return claimant in places

    def close(self) -> None:
        """Nothing is held."""

    def user_ids(self, shard: int) -> list[str]:
        """Every user known, sorted: for `replay`, which writes all profiles."""
        return sorted(self._shard(shard).users)

    def _shard(self, shard: int) -> _Shard:
        return self._shards.setdefault(shard, _Shard())

    @staticmethod
    def _set_timer(kept: _Shard, user_id: str, due: int | None) -> None:
        before = kept.due.pop(user_id, None)
        if before is not None:
            del kept.timers[bisect_left(kept.timers, (before, user_id))]
        if due is not None:
            kept.due[user_id] = due
            insort(kept.timers, (due, user_id))

    def _watch(self, kept: _Shard, sku: str, user_id: str, at: int) -> None:
        watchers = kept.watchers.setdefault(sku, {})
        watchers[user_id] = max(at, watchers.get(user_id, at))
        if len(watchers) > self._watchers_per_sku:
            del watchers[min(watchers, key=lambda user: (watchers[user], user))]
