"""How does a simulated process read? An InputLog that is a member of the simulated group."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from connectors.log import Assignment, Chunk, Lane, Poll
from state.events import TOPICS
from tests.simulation.broker import Broker
from tests.simulation.world import Process, World

_IDLE_SECONDS = 0.8


class Guards(Struct):
    """What may be taken out of the client."""

    marks_of_the_ledger: bool = True
    reopen_every_generation: bool = True
    cursor_after_join: bool = True
    journal_end_after_join: bool = True
    new_epoch: bool = True


class SimulatedLog:
    """A member of the group that reads `batch` records of a lane in a poll; `members` learns whose member is whose."""

    trouble: str | None = None

    def __init__(
        self,
        broker: Broker,
        world: World,
        process: Process,
        guards: Guards,
        *,
        batch: int,
        members: dict[str, Process],
    ) -> None:
        self.members = members
        self.partitions = dict.fromkeys(TOPICS, broker.partitions)
        self.broker, self.world, self.process, self.guards = broker, world, process, guards
        self.member = ""
        self.generation = -1
        self.shards: list[int] = []
        self.before_join: Callable[[], None] = lambda: None
        self._joins = 0
        self._batch = batch
        self._positions: dict[Lane, int] = {}
        self._paused: set[Lane] = set()
        self._assignment: Assignment | None = None

    def start(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self.process.io("join")
        self._joins += 1
        self.member = f"{self.process.name}.{self._joins}"
        self.members[self.member] = self.process
        self.before_join()
        self.broker.join(self.member)

    def poll(self, timeout_seconds: float) -> Poll:
        self.process.io("poll")
        self._follow_the_group()
        chunks: list[Chunk] = []
        ended: dict[Lane, float] = {}
        now = self.world.now
        for lane, position in list(self._positions.items()):
            if lane in self._paused:
                continue
            found = self.broker.committed_records(*lane, position)[: self._batch]
            if found:
                self._positions[lane] = found[-1][0] + 1
                keys = [kept.key for _, kept in found]
                values: list[bytes | None] = [kept.value for _, kept in found]
                chunks.append(Chunk(lane, [at for at, _ in found], values, keys.__getitem__))
            if not self.broker.committed_records(*lane, self._positions[lane]):
                ended[lane] = now
        if not chunks:
            self.process.sleep(_IDLE_SECONDS)
        return Poll(chunks, ended)

    def pause(self, lanes: Iterable[Lane]) -> None:
        self._paused.update(lanes)

    def resume(self, lanes: Iterable[Lane]) -> None:
        self._paused.difference_update(lanes)

    def reopen(self) -> None:
        assert self._assignment is not None
        self._give_up(fenced=True)
        self.process.io("leave")
        self.broker.leave(self.member)
        self.start(self._assignment)

    def lanes(self, shard: int) -> list[Lane]:
        return [(role, shard) for role in TOPICS]

    def lag(self) -> dict[Lane, int]:
        return {}

    def close(self) -> None:
        self._give_up(fenced=False)
        self.process.io("leave")
        self.broker.leave(self.member)

    def _follow_the_group(self) -> None:
        """What librdkafka does inside poll: rebalance callbacks, and joining again."""
        assert self._assignment is not None
        known = self.broker.heartbeat(self.member)
        if known is None:
            if self.guards.reopen_every_generation:
                self._give_up(fenced=True)
            self.start(self._assignment)
        elif self.broker.must_join(self.member):
            if self.guards.reopen_every_generation:
                self._give_up(fenced=False)
            self.process.io("join again")
            self.before_join()
            if self.broker.heartbeat(self.member) is not None:
                self.broker.join(self.member)
        elif known.generation > self.generation:
            self.generation = known.generation
            self._gain(known.shards)

    def _gain(self, shards: list[int]) -> None:
        assert self._assignment is not None
        new = shards
        if not self.guards.reopen_every_generation:
            gone = [shard for shard in self.shards if shard not in shards]
            new = [shard for shard in shards if shard not in self.shards]
            if gone:
                self._assignment.lost(gone, fenced=True)
                self._positions = {lane: at for lane, at in self._positions.items() if lane[1] in shards}
        self.shards = list(shards)
        self._paused.clear()
        positions = self._assignment.gained(new)
        for shard in new:
            for lane in self.lanes(shard):
                self._positions[lane] = positions.get(lane, 0)
                if not self.guards.marks_of_the_ledger:
                    self._positions[lane] = self.broker.offsets.get(lane, (0, ""))[0]

    def _give_up(self, *, fenced: bool) -> None:
        assert self._assignment is not None
        shards, self.shards, self._positions = self.shards, [], {}
        self._assignment.lost(shards, fenced=fenced)
