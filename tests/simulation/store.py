"""What does Redis promise, and what may it forget? MemoryLedger, reached over a connection that fails, and rolled back.

Every change is kept as an operation, so a rollback is the same ledger made again from fewer of them: what one
script wrote goes together, which is all that a Redis with an AOF promises once it is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from state.ledger import Blob, Commit, Found, Opened, Place
from state.memory_ledger import MemoryLedger
from state.redis_ledger import StoreUnavailable
from tests.simulation.world import Process, World

WATCHERS = 100


class Guards(Struct):
    """What may be taken out of the commit's condition."""

    owner: bool = True
    version: bool = True


class Unguarded(MemoryLedger):
    """A MemoryLedger whose compare-and-set can be weakened."""

    def __init__(self, guards: Guards) -> None:
        super().__init__(WATCHERS)
        self.guards = guards

    def begin_commit(self, shard: int, commit: Commit) -> None:
        kept = self._shard(shard)
        if not self.guards.owner:
            commit.owner = kept.owner
        if not self.guards.version:
            commit.version = kept.version
        super().begin_commit(shard, commit)

    def rebuild(self, shard: int) -> None:
        """As `beckon rebuild` does: the permission to begin again, with the journal from its beginning."""
        self._shard(shard).scan_from = 0

    def marks_of(self, shard: int) -> dict[str, int]:
        return self._shard(shard).marks

    def version_of(self, shard: int) -> int:
        return self._shard(shard).version


class Store:
    """The server. `operations` are its AOF, one a change."""

    def __init__(self, guards: Guards) -> None:
        self.guards = guards
        self.ledger = Unguarded(guards)
        self.operations: list[Callable[[Unguarded], object]] = []
        self.rollbacks = 0

    def do(self, operation: Callable[[Unguarded], object]) -> object:
        self.operations.append(operation)
        return operation(self.ledger)

    def commit(self, shard: int, commit: Commit) -> bool:
        def apply(ledger: MemoryLedger) -> bool:
            ledger.begin_commit(shard, replaceable(commit))
            return ledger.finish_commits() == [True]

        accepted = bool(self.do(apply))
        if not accepted:
            self.operations.pop()
        return accepted

    def roll_back(self, operations: int) -> None:
        """Forget the last so many changes."""
        self.rollbacks += 1
        self.operations = self.operations[: max(0, len(self.operations) - operations)]
        self.ledger = Unguarded(self.guards)
        for operation in self.operations:
            operation(self.ledger)


def replaceable(commit: Commit) -> Commit:
    """A copy: an operation may be applied again after a rollback, and a weakened guard changes the commit."""
    return Commit(**{name: getattr(commit, name) for name in Commit.__struct_fields__})


class SimulatedLedger:
    """One process's connection to the store."""

    def __init__(self, store: Store, world: World, process: Process) -> None:
        self._store = store
        self._world = world
        self._process = process
        self._begun: list[tuple[int, Commit]] = []
        self.away_until = 0.0
        self._stanzas: dict[str, str] = {}

    def prepare(self, shards: int, layout: int) -> None:
        """The shape is not what is simulated."""

    def stanzas(self) -> dict[str, str]:
        """Nor are the settings, which do not change."""
        return self._stanzas

    def keep_stanzas(self, new: Mapping[str, str], over: Sequence[str]) -> None:
        self._stanzas = {**self._stanzas, **new}

    def open(self, shard: int, owner: str, publisher: str = "") -> Opened:
        self._io("open")
        opened = self._store.do(lambda ledger: ledger.open(shard, owner, publisher))
        self._maybe_lose_reply()
        assert isinstance(opened, Opened)
        return opened

    def begin_commit(self, shard: int, commit: Commit) -> None:
        self._io("begin commit")
        self._begun.append((shard, commit))
        self._process.strike()  # with a commit under way, and its answer unread

    def finish_commits(self) -> list[bool]:
        answers = []
        while self._begun:
            self._process.io("commit")
            if self._world.chance(self._world.faults.lost_commit):
                self._begun = []
                raise StoreUnavailable("simulated: the request was lost")
            answers.append(self._store.commit(*self._begun.pop(0)))
            self._maybe_lose_reply()
        return answers

    def abandon_commits(self) -> None:
        """What was sent may still arrive, now or later, or never: as far as it came, in order."""
        begun, self._begun = self._begun, []
        arrived = begun[: self._world.rng.randrange(len(begun) + 1)] if begun else []
        for shard, commit in arrived:
            self._world.later(self._world.rng.choice((0.0, 1.0, 8.0)), _late(self._store, shard, commit))

    def owners(self, shards: Sequence[int]) -> list[str]:
        self._io("owners")
        return self._store.ledger.owners(shards)

    def look_up(
        self, users: Sequence[Place], watched: Sequence[Place], limit: int, shards: Sequence[int]
    ) -> Found:
        """In one trip, but others may come between."""
        return Found(self.load_users(users), self.load_watchers(watched, limit), self.owners(shards))

    def load_users(self, asked: Sequence[tuple[int, str]]) -> list[Blob | None]:
        self._io("load users")
        return self._store.ledger.load_users(asked)

    def load_items(self, skus: Sequence[tuple[int, str]]) -> list[Blob | None]:
        self._io("load items")
        return self._store.ledger.load_items(skus)

    def load_timers(self, shard: int, after: int, limit: int) -> list[tuple[int, str]]:
        self._io("load timers")
        return self._store.ledger.load_timers(shard, after, limit)

    def load_watchers(self, asked: Sequence[tuple[int, str]], limit: int) -> list[list[str]]:
        self._io("load watchers")
        return self._store.ledger.load_watchers(asked, limit)

    def load_audience(self, shard: int, audience: str, after: str, limit: int) -> list[str]:
        self._io("load audience")
        return self._store.ledger.load_audience(shard, audience, after, limit)

    def claim(self, shard: int, key: str, claimant: str, limit: int) -> bool:
        self._io("claim")
        return bool(self._store.do(lambda ledger: ledger.claim(shard, key, claimant, limit)))

    def close(self) -> None:
        """The connection ends, in order or because its process was killed; what was sent may still arrive."""
        self.abandon_commits()

    def _io(self, what: str) -> None:
        self._process.io(what)
        if self._world.chance(self._world.faults.lost_reply / 4):
            raise StoreUnavailable("simulated: no connection")

    def _maybe_lose_reply(self) -> None:
        if self._world.chance(self._world.faults.lost_reply):
            self._begun = []
            raise StoreUnavailable("simulated: the reply was lost")


def _late(store: Store, shard: int, commit: Commit) -> Callable[[], object]:
    return lambda: store.commit(shard, commit)
