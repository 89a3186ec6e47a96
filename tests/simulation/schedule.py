"""Does one schedule of faults leave everything as fair weather would? Run it, bring it to its end, compare.

`Guards`: what protects; each may be taken out, to show that the simulation would notice.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct, field

from connectors.publisher import LostState, OutboxPublisher
from flows import assemble
from flows.assemble import Choices, Nature
from state.user import User, unpack
from tests.simulation import broker, shop, store, transactions, wire
from tests.simulation.world import Faults, Process, World

_QUIET_SECONDS = shop.SECONDS + 90.0
_REBUILD_SECONDS = 1.0
FAIR = Faults()


class Guards(Struct):
    """Everything in place, unless a test takes something out. `patch`: what is taken out of the code itself."""

    broker: broker.Guards = field(default_factory=broker.Guards)
    store: store.Guards = field(default_factory=store.Guards)
    wire: wire.Guards = field(default_factory=wire.Guards)
    random_token: bool = True
    heartbeat: bool = True
    patch: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext


class Outcome(Struct):
    """What is left when all is over; equal for equal shops, whatever happened on the way.

    But for what is said of counters of buyers, which hangs on when each shard had read what; `miscounted`: those that
    are not what the users of their shard are.
    """

    published: dict[str, list[str]]
    users: dict[str, User]
    twice: list[str] = []
    miscounted: list[str] = []


class Wrong(AssertionError):
    """A schedule that does not end as it should; the text is the difference and how it came about."""


class Schedule:
    """`seed` decides everything but the shop. `crash_at`: kill whoever is about to make that I/O."""

    def __init__(
        self,
        seed: int,
        shop_seed: int,
        faults: Faults,
        guards: Guards,
        *,
        processes: int = 2,
        crash_at: int = -1,
    ) -> None:
        self.world = World(seed, faults)
        self.world.crash_at = crash_at
        self.guards = guards
        self._shop_seed = shop_seed
        self.broker = broker.Broker(shop.PARTITIONS, guards.broker)
        self.store = store.Store(guards.store)
        self._batch = self.world.rng.choice((1, 2, 5))
        self._processes = processes
        self._names = itertools.count()
        self._owners: dict[str, Process] = {}
        for event in shop.events(shop_seed):
            self.world.later(event.at_seconds, self._producing(event))

    def run(self) -> Outcome:
        """Faults while the shop is open, then calm until everything is done."""
        self.begin()
        try:
            with self.guards.patch():
                while self.world.now < shop.SECONDS:
                    self._fault()
                    self._step()
                self.world.calm = True
                while self.world.now < _QUIET_SECONDS:
                    self._step()
        finally:
            for process in self.world.living:
                process.kill()
        return self._outcome()

    def begin(self) -> None:
        """Start the processes; `run` does so unless it was done."""
        while len(self.world.processes) < self._processes:
            self.start_process()

    def go_on(self, steps: int) -> None:
        """So many steps without faults but those that are asked for, while the shop is open."""
        with self.guards.patch():
            for _ in range(steps):
                if self.world.now < shop.SECONDS:
                    self._step()

    # one step

    def _step(self) -> None:
        world = self.world
        for name in [*self.broker.members]:
            process = self._owners[name]
            if process.alive and not process.stopped:
                self.broker.heartbeat(name)
        self.broker.tick(world.now)
        while len(world.living) < (1 if world.calm else self._processes):
            self.start_process()
        try:
            world.step()
        except LostState:
            self._rebuild()

    def _fault(self) -> None:
        world = self.world
        faults = world.faults
        if world.chance(faults.crash):
            world.crash(world.rng.choice(world.living))
        if world.chance(faults.stop) and world.living:  # the last one may just have been killed
            world.rng.choice(world.living).stop()
        if world.chance(faults.rollback):
            forgotten = min(int(world.rng.expovariate(0.1)) + 1, len(self.store.operations))
            world.note(f"the store forgets {forgotten} of {len(self.store.operations)} changes")
            self.store.roll_back(forgotten)
        if world.chance(faults.churn):
            if world.rng.random() < 0.5 and len(world.living) < 4:
                self.start_process()
            elif world.living:
                world.rng.choice(world.living).should_stop = True

    def _rebuild(self) -> None:
        """What an operator does who is told that a ledger is empty: `beckon rebuild`."""
        self.world.note("rebuild")
        for shard in range(shop.PARTITIONS):
            if not self.store.ledger.marks_of(shard):
                self.store.do(lambda ledger, at=shard: ledger.rebuild(at))  # type: ignore[misc]

    # the processes

    def start_process(self) -> None:
        self.world.start(f"p{next(self._names)}", self._process)

    def _process(self, process: Process) -> None:
        world = self.world
        guards = self.guards.wire
        source = wire.SimulatedLog(
            self.broker, world, process, guards, batch=self._batch, members=self._owners
        )
        ledger = store.SimulatedLedger(self.store, world, process)
        publishing = transactions.SimulatedTransactions(source, process.name)
        nature = Nature(
            wall_ms=lambda: world.wall_ms,
            monotonic=lambda: world.now,
            sleep=process.sleep,
            elapsed=lambda: world.now,
            token=self._token,
        )
        choices = Choices(should_stop=lambda: process.should_stop, nature=nature)
        publisher = OutboxPublisher(publishing)
        try:
            station = assemble.station_of(self._settings(), source, ledger, publisher, choices)
            while (batches := station.next_round()) is not None:
                station.apply(batches)
                station.publish()
            station.finish()
            station.publish()
            station.conclude()
            source.close()
        finally:
            ledger.close()

    def _settings(self) -> Any:
        settings = shop.settings(self._shop_seed)
        if self.guards.heartbeat:
            return settings
        engine = msgspec.structs.replace(settings.engine, heartbeat=10**9)
        return msgspec.structs.replace(settings, engine=engine)

    def _token(self) -> str:
        if self.guards.random_token:
            return f"{self.world.rng.getrandbits(40):x}"
        return f"c{sum(self.store.ledger.version_of(shard) for shard in range(shop.PARTITIONS))}"

    def _producing(self, event: shop.Event) -> Callable[[], None]:
        return lambda: self.broker.append(event.topic, event.partition, event.value, event.key)

    # what is left

    def _outcome(self) -> Outcome:
        published: dict[str, list[str]] = {}
        twice = []
        for (topic, part), log in self.broker.logs.items():
            committed = self.broker.committed_records(topic, part)
            ids = [kept.record_id for _, kept in committed if kept.record_id]
            twice += [each for each, count in Counter(ids).items() if count > 1]
            ids = [kept.record_id for _, kept in committed if kept.record_id and not _counts(kept.value)]
            if ids:
                published[f"{topic}/{part}"] = sorted(ids)
            assert len(log) < 10_000
        users: dict[str, User] = {}
        miscounted = []
        for shard in range(shop.PARTITIONS):
            names = self.store.ledger.user_ids(shard)
            blobs = self.store.ledger.load_users([(shard, name) for name in names])
            users |= {
                name: _in_any_order(unpack(blob or b"")) for name, blob in zip(names, blobs, strict=True)
            }
            places = [unpack(blob or b"").own_place for blob in blobs]
            counted = Counter(_field(cell) for place in places if place is not None for cell in place.cells())
            stored = self.store.ledger.open(shard, "the end").buyers
            if {n: int(count) for n, count in stored.items() if n[0].isdigit()} != counted:
                miscounted.append(f"miscounted: shard {shard} has {stored}, wanted {counted}")
        return Outcome(published, users, twice, miscounted)


def _counts(value: bytes) -> bool:
    return b'"type":"counted"' in value or b'"type":"cuts_found"' in value


def _field(cell: tuple[int, str, int]) -> str:
    return ":".join(map(str, cell))


def _in_any_order(user: User) -> User:
    """Letters and events of one user may be read in either order; `seen` remembers in which, and calls are letters."""
    marks = [user.seen[at : at + 8] for at in range(0, len(user.seen), 8)]
    user.seen = b"".join(sorted(marks))
    if user.own_scenes is not None and user.own_scenes.alerts:
        user.own_scenes.called_to = -1
        user.contact.sent.sort(key=lambda sent: sent.id)
        for episodes in user.contact.episodes.values():
            episodes.sort(key=lambda episode: episode.anchor)
    return user


@cache
def expected(shop_seed: int) -> Outcome:
    """Fair weather, one process."""
    outcome = Schedule(0, shop_seed, FAIR, Guards(), processes=1).run()
    assert not outcome.twice
    return outcome


def check(schedule: Schedule, shop_seed: int) -> None:
    """Run it; raises Wrong if anything is lost, twice or different."""
    wanted = expected(shop_seed)
    outcome = schedule.run()
    problems = [*(f"twice: {each}" for each in outcome.twice), *outcome.miscounted]
    for place in sorted({*wanted.published, *outcome.published}):
        want, got = set(wanted.published.get(place, ())), set(outcome.published.get(place, ()))
        problems += [f"lost: {each}" for each in sorted(want - got)]
        problems += [f"unexpected: {each}" for each in sorted(got - want)]
    problems += list(_differences(wanted.users, outcome.users))
    if problems:
        raise Wrong("\n".join([*problems, "how it came about:", *schedule.world.trace[-60:]]))


def _differences(wanted: dict[str, User], got: dict[str, User]) -> Iterator[str]:
    for name in sorted({*wanted, *got}):
        a, b = wanted.get(name), got.get(name)
        if a is None or b is None:
            yield f"user {name}: {'missing' if b is None else 'unexpected'}"
            continue
        for part in User.__struct_fields__:
            if getattr(a, part) != getattr(b, part):
                yield f"user {name}: {part} is {getattr(b, part)}, wanted {getattr(a, part)}"
