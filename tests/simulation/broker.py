"""What does Kafka promise? Partitions, transactions with epochs, a group with generations: no more than we rely on.

Held to the same contract as the real one by tests/contract/test_transactions.py. Each guard of the broker's own
may be taken out, to see what it is worth.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

SESSION_SECONDS = 6.0
TRANSACTION_SECONDS = 10.0
STALE_GENERATION = "ILLEGAL_GENERATION"


class Refusal(Exception):
    """The broker's answer is an error: stale generation or epoch."""


class Transaction(Struct, eq=False):
    name: str
    epoch: int
    began_at: float
    state: Literal["open", "committed", "aborted"] = "open"
    offsets: dict[tuple[str, int], tuple[int, str]] = {}


class Kept(Struct):
    value: bytes
    key: bytes | None
    record_id: str
    ids: list[str]
    transaction: Transaction | None


class Member(Struct, eq=False):
    name: str
    generation: int = -1  # the one it has joined
    shards: list[int] = []
    heard_at: float = 0.0


class Guards(Struct):
    """What may be taken out of the broker."""

    generation_fence: bool = True
    epoch_fence: bool = True
    stable_read: bool = True
    last_stable_offset: bool = True


class Broker:
    """`partitions` of every topic. `now` is virtual."""

    def __init__(self, partitions: int, guards: Guards) -> None:
        self.partitions = partitions
        self.guards = guards
        self.now = 0.0
        self.logs: dict[tuple[str, int], list[Kept]] = {}
        self.offsets: dict[tuple[str, int], tuple[int, str]] = {}
        self.epochs: dict[str, int] = {}
        self.open: dict[str, Transaction] = {}
        self.generation = 0
        self.members: dict[str, Member] = {}
        self.waiting: set[str] = set()  # who has yet to join the generation that is being made
        self.rebalancing_since: float | None = None

    # records

    def log(self, topic: str, part: int) -> list[Kept]:
        return self.logs.setdefault((topic, part), [])

    def append(self, topic: str, part: int, value: bytes, key: bytes | None) -> None:
        """From outside, without a transaction."""
        self.log(topic, part).append(Kept(value, key, "", [], None))

    def stable_end(self, topic: str, part: int) -> int:
        """The last stable offset: nothing before it is undecided."""
        if not self.open:
            return len(self.log(topic, part))
        for offset, kept in enumerate(self.log(topic, part)):
            if kept.transaction is not None and kept.transaction.state == "open":
                return offset
        return len(self.log(topic, part))

    def committed_records(self, topic: str, part: int, start: int = 0) -> list[tuple[int, Kept]]:
        """As a read_committed reader sees them."""
        if start >= len(self.log(topic, part)):
            return []
        end = self.stable_end(topic, part)
        return [
            (offset, kept)
            for offset, kept in enumerate(self.log(topic, part)[start:end], start)
            if kept.transaction is None or kept.transaction.state == "committed"
        ]

    # transactions

    def init(self, name: str) -> int:
        """A new epoch; the open transaction of the name is aborted."""
        self.epochs[name] = self.epochs.get(name, 0) + 1
        self._end(name, commit=False)
        return self.epochs[name]

    def produce(self, name: str, epoch: int, topic: str, part: int, kept: Kept) -> int:
        transaction = self._transaction(name, epoch)
        log = self.log(topic, part)
        log.append(Kept(kept.value, kept.key, kept.record_id, kept.ids, transaction))
        return len(log) - 1

    def add_offsets(
        self,
        name: str,
        epoch: int,
        offsets: dict[tuple[str, int], tuple[int, str]],
        member: str,
        generation: int,
    ) -> None:
        transaction = self._transaction(name, epoch)
        if self.guards.generation_fence:
            known = self.members.get(member)
            if known is None or generation != self.generation:
                raise Refusal(STALE_GENERATION)
        transaction.offsets.update(offsets)

    def end(self, name: str, epoch: int, *, commit: bool) -> None:
        if self.guards.epoch_fence and epoch != self.epochs.get(name):
            raise Refusal("INVALID_PRODUCER_EPOCH")
        self._end(name, commit=commit)

    def pending(self, topic: str, part: int) -> bool:
        return any((topic, part) in transaction.offsets for transaction in self.open.values())

    def _transaction(self, name: str, epoch: int) -> Transaction:
        if epoch != self.epochs.get(name):
            raise Refusal("INVALID_PRODUCER_EPOCH")
        if name not in self.open:
            self.open[name] = Transaction(name, epoch, self.now)
        return self.open[name]

    def _end(self, name: str, *, commit: bool) -> None:
        transaction = self.open.pop(name, None)
        if transaction is None:
            return
        transaction.state = "committed" if commit else "aborted"
        if commit:
            self.offsets.update(transaction.offsets)

    # the group

    def join(self, name: str) -> None:
        """New, or again after a rebalance began."""
        member = self.members.setdefault(name, Member(name))
        member.heard_at = self.now
        self.waiting.discard(name)
        member.generation = -1
        if self.rebalancing_since is None:
            self._rebalance(without=name)
        self._conclude()

    def leave(self, name: str) -> None:
        if self.members.pop(name, None) is not None:
            self.waiting.discard(name)
            self._rebalance()
            self._conclude()

    def heartbeat(self, name: str) -> Member | None:
        """None: the group does not know this member (any more)."""
        member = self.members.get(name)
        if member is not None:
            member.heard_at = self.now
        return member

    def must_join(self, name: str) -> bool:
        return name in self.waiting

    def tick(self, now: float) -> None:
        self.now = now
        for name, transaction in list(self.open.items()):
            if now - transaction.began_at > TRANSACTION_SECONDS:
                self.init(name)
        for name, member in list(self.members.items()):
            if now - member.heard_at > SESSION_SECONDS:
                self.leave(name)

    def _rebalance(self, without: str = "") -> None:
        if self.rebalancing_since is None:
            self.rebalancing_since = self.now
            self.waiting = {name for name in self.members if name != without}

    def _conclude(self) -> None:
        """When all have joined: the next generation, shares by name."""
        if self.rebalancing_since is None or self.waiting:
            return
        self.rebalancing_since = None
        self.generation += 1
        names = sorted(self.members)
        for at, name in enumerate(names):
            member = self.members[name]
            member.generation = self.generation
            member.shards = [shard for shard in range(self.partitions) if shard % len(names) == at]
