"""How does a simulated process publish? The Transactions of the protocol, whose requests get lost or come late."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from connectors.log import LogUnavailable
from connectors.publisher import Committed, Fenced, Parcel, Progress, UnknownOutcome, journal_id
from tests.simulation.broker import STALE_GENERATION, Broker, Kept, Refusal
from tests.simulation.wire import SimulatedLog

JOURNAL = "journal"
_STABLE_SECONDS, _ANSWER_SECONDS, _LOST_SECONDS = 0.7, 20.0, 120.0
_ANSWERED_SECONDS = (
    0.0,
    0.0,
    0.005,
    0.02,
    0.3,
)  # at once, or after some steps of the others and of the process itself


class _UnderWay:
    """One transaction: `error` is what its end raises, if anything."""

    def __init__(self) -> None:
        self.positions: dict[int, int] = {}
        self.error: Exception | None = None
        self.is_over = False

    def end(self, error: Exception | None) -> None:
        self.error, self.is_over = error, True


class SimulatedTransactions:
    """Transactions over the simulated broker: each request may be lost, or come later than its caller waits."""

    def __init__(self, source: SimulatedLog, name: str) -> None:
        self.name = name
        self._source = source
        self._broker, self._world, self._process = source.broker, source.world, source.process
        self._guards = source.guards
        self._stale = False
        self._under_way = _UnderWay()
        self._seen_before_join: tuple[dict[int, Committed], dict[int, int]] | None = None
        if not (self._guards.cursor_after_join and self._guards.journal_end_after_join):
            source.before_join = self._look_too_early
        self._process.io("init")
        self._epoch = self._broker.init(name)

    def committed(self, shards: Collection[int], predecessors: Collection[str]) -> dict[int, Committed]:
        self._request_lost_entirely("read the cursor")
        if not self._guards.cursor_after_join and self._seen_before_join is not None:
            return {shard: self._seen_before_join[0][shard] for shard in shards}
        if self._broker.guards.stable_read and not self._stable(shards, _STABLE_SECONDS):
            for name in predecessors:
                self._process.io("end a predecessor's transaction")
                self._broker.init(name)
            if not self._stable(shards, _ANSWER_SECONDS):
                raise LogUnavailable("simulated: a transaction is pending")
        return {shard: self._read(shard) for shard in shards}

    def scan(self, starts: Mapping[int, int]) -> dict[int, set[str]]:
        self._request_lost_entirely("scan")
        ends = {shard: len(self._broker.log(JOURNAL, shard)) for shard in starts}
        if not self._guards.journal_end_after_join and self._seen_before_join is not None:
            ends = {shard: self._seen_before_join[1][shard] for shard in starts}
        found = {}
        for shard, start in starts.items():
            if self._broker.guards.last_stable_offset:
                self._wait(lambda s=shard: self._broker.stable_end(JOURNAL, s) >= ends[s])  # type: ignore[misc]
            self._process.io("read the journal")
            records = self._broker.committed_records(JOURNAL, shard, max(start, 0))
            found[shard] = {each for at, kept in records if at < ends[shard] for each in kept.ids}
        return found

    def renew(self) -> None:
        self._request_lost_entirely("init")
        if self._guards.new_epoch:
            self._epoch = self._broker.init(self.name)
        self._stale = False

    def begin(self, parcels: Sequence[Parcel]) -> None:
        if self._stale:
            self.renew()
        self._under_way = under_way = _UnderWay()
        try:
            for parcel in parcels:
                under_way.positions |= self._produce(parcel)
        except (Refusal, UnknownOutcome) as error:
            under_way.end(error)
            return
        offsets = {lane: to for parcel in parcels for lane, to in _offsets(parcel).items()}
        whose, member = (self.name, self._epoch), (self._source.member, self._source.generation)
        add = ("offsets", lambda: self._broker.add_offsets(*whose, offsets, *member))
        end = ("end", lambda: self._broker.end(*whose, commit=True))
        self._go_on(under_way, [add, end])

    def outcome(self, *, wait: bool) -> dict[int, int] | None:
        under_way = self._under_way
        until = self._world.now + _LOST_SECONDS
        while wait and not under_way.is_over:
            assert self._world.now < until, "nobody ends what is under way"
            self._process.sleep(0.002)
        if not under_way.is_over:
            return None
        error = under_way.error
        if isinstance(error, Refusal):
            if str(error) != STALE_GENERATION:
                raise UnknownOutcome(str(error)) from error
            self._abort()
            raise Fenced(str(error)) from error
        if error is not None:
            raise error
        return under_way.positions

    def close(self) -> None:
        """Nothing is held."""

    def _produce(self, parcel: Parcel) -> dict[int, int]:
        positions: dict[int, int] = {}
        epoch = self._epoch
        for entry in parcel.entries:
            record_id = journal_id(entry.topic, entry.partition, entry.id)
            kept = Kept(entry.value, entry.key, record_id, [], None)
            topic, part = entry.topic, entry.partition or 0
            self._request("produce", _sent(self._broker, self.name, epoch, topic, part, kept))
        if parcel.journal:
            ids = [journal_id(e.topic, e.partition, e.id) for e in parcel.entries]
            note = Kept(b"", None, "", ids, None)
            at = self._request("journal", _sent(self._broker, self.name, epoch, JOURNAL, parcel.shard, note))
            assert isinstance(at, int)
            positions[parcel.shard] = at
        return positions

    def _go_on(self, under_way: _UnderWay, steps: Sequence[tuple[str, Callable[[], object]]]) -> None:
        """The requests of another thread, each a while after the one before, whatever the process does meanwhile."""

        def go() -> None:
            if not self._process.thread_io(steps[0][0], go):
                return
            try:
                self._answer(*steps[0])
            except (Refusal, UnknownOutcome) as error:
                under_way.end(error)
                return
            if steps[1:]:
                self._go_on(under_way, steps[1:])
            else:
                under_way.end(None)

        self._world.later(self._world.rng.choice(_ANSWERED_SECONDS), go)

    def _request(self, what: str, work: Callable[[], object]) -> object:
        self._process.io(what)
        return self._answer(what, work)

    def _answer(self, what: str, work: Callable[[], object]) -> object:
        faults = self._world.faults
        if self._world.chance(faults.lost_request):
            raise UnknownOutcome(f"simulated: {what} was lost")
        if self._world.chance(faults.late_request):
            self._world.later(self._world.rng.choice((0.01, 0.5, 3.0, 9.0)), _quietly(work))
            raise UnknownOutcome(f"simulated: {what} is late")
        done = work()
        if self._world.chance(faults.lost_request):
            raise UnknownOutcome(f"simulated: the reply to {what} was lost")
        return done

    def _request_lost_entirely(self, what: str) -> None:
        self._process.io(what)
        if self._world.chance(self._world.faults.lost_request):
            raise LogUnavailable(f"simulated: no answer to {what}")

    def _abort(self) -> None:
        self._process.io("abort")
        try:
            self._broker.end(self.name, self._epoch, commit=False)
        except Refusal:
            self._stale = True

    def _stable(self, shards: Collection[int], seconds: float) -> bool:
        until = self._world.now + seconds
        lanes = [("letters", shard) for shard in shards]
        while any(self._broker.pending(*lane) for lane in lanes):
            if self._world.now >= until:
                return False
            self._process.sleep(0.1)
        return True

    def _wait(self, done: Callable[[], bool]) -> None:
        until = self._world.now + _ANSWER_SECONDS
        while not done():
            if self._world.now >= until:
                raise LogUnavailable("simulated: a transaction in the journal does not end")
            self._process.sleep(0.1)

    def _read(self, shard: int) -> Committed:
        found = Committed(None, Progress({}))
        for role, part in self._source.lanes(shard):
            offset, metadata = self._broker.offsets.get((role, part), (0, ""))
            if offset > 0:
                found.progress.marks[f"{role}/{part}"] = offset - 1
            if metadata:
                cursor, _, watermark = metadata.rpartition("@")
                found.cursor, found.progress.watermark = cursor, int(watermark)
        return found

    def _look_too_early(self) -> None:
        shards = range(self._broker.partitions)
        cursors = {shard: self._read(shard) for shard in shards}
        self._seen_before_join = cursors, {s: len(self._broker.log(JOURNAL, s)) for s in shards}


def _offsets(parcel: Parcel) -> dict[tuple[str, int], tuple[int, str]]:
    found = {("letters", parcel.shard): (0, "")}
    for mark, at in parcel.progress.marks.items():
        found[mark.rpartition("/")[0], parcel.shard] = (at + 1, "")
    offset, _ = found["letters", parcel.shard]
    found["letters", parcel.shard] = (offset, f"{parcel.cursor}@{parcel.progress.watermark}")
    return found


def _sent(broker: Broker, name: str, epoch: int, topic: str, part: int, kept: Kept) -> Callable[[], object]:
    return lambda: broker.produce(name, epoch, topic, part, kept)


def _quietly(work: Callable[[], object]) -> Callable[[], None]:
    """A request that nobody waits for any more; the broker may refuse it."""

    def done() -> None:
        try:
            work()
        except Refusal:
            return

    return done
