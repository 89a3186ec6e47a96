"""What came in, for which shard, and how far has time come? Poll, decode, merge, release.

Also the owner of the shards: the log tells it which it gained and lost, and each opens with a new random
owner token, at the marks its ledger holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from msgspec import Struct

from connectors import metrics
from connectors.codec import Decoder, Rejected
from connectors.log import Chunk, InputLog, Lane, Poll
from connectors.publisher import Publisher
from flows.dead_letter import DeadLetter
from flows.merge import ALWAYS, NEVER, Merge
from flows.observe import note_orders, note_reopened
from flows.shard import LIVE_USERS, Shard, ShardBatch
from state.ledger import Ledger

log = structlog.get_logger("intake")


class Clock(Struct, frozen=True, kw_only=True):
    """How event time follows the wall. `wall`, told the newest event's time, is None for event time only.

    `until`: the end of a replay.

    `monotonic` and `end_known_for` in seconds: so long may the last word that a partition is at its end be relied on.
    """

    wall: Callable[[int | None], int] | None
    monotonic: Callable[[], float]
    out_of_orderness: int
    idle_after: int
    end_known_for: float
    until: int | None = None


class BadInput(Exception):
    """Too large a share of the input is bad: something upstream is broken, and dead-lettering it all helps nobody."""


class Intake:
    """`shards` is shared with the desk. `new_owner` makes random tokens; `encode_dead` makes dead letters."""

    def __init__(
        self,
        source: InputLog,
        decoders: Mapping[str, Decoder],
        ledger: Ledger,
        publisher: Publisher,
        shards: dict[int, Shard],
        clock: Clock,
        *,
        new_owner: Callable[[], str],
        encode_dead: Callable[[Lane, int, bytes | None, bytes | None, Rejected], DeadLetter],
        decode_wall: Callable[[], int] | None,
        queued_records: int,
        round_records: int,
        timers: int,
        cached_users: int,
        bad_share: float,
        bad_minimum: int,
        give_up: Callable[[bool], None],
        refuse_newer: Callable[[], None],
    ) -> None:
        self._source = source
        self._decoders = decoders
        self._ledger = ledger
        self._publisher = publisher
        self._shards = shards
        self._clock = clock
        self._new_owner = new_owner
        self._encode_dead = encode_dead
        self._decode_wall = decode_wall
        self._queued_limit = queued_records
        self._timers = timers
        self._cached_users = cached_users
        self._bad_share = bad_share
        self._bad_minimum = bad_minimum
        self._minute: tuple[int, int, int] = (0, 0, 0)
        self._give_up = give_up
        self._refuse_newer = refuse_newer
        self._paused: set[Lane] = set()
        self._shard_of: dict[Lane, int] = {}
        self._polled = 0
        self._newest: int | None = None
        self._round_records = round_records
        self._live_records = round_records // 4
        self._first = 0
        self.records = 0

    # Assignment

    def gained(self, shards: list[int]) -> Mapping[Lane, int]:
        owners = {number: self._new_owner() for number in shards}
        opened = {n: self._ledger.open(n, owner, self._publisher.name) for n, owner in owners.items()}
        # Ours first, then asked what is out: in the other order a former owner could publish in between.
        resumed = self._publisher.resume(opened)
        note_reopened(opened, resumed)
        users = max(LIVE_USERS, self._cached_users // max(1, len(shards)))
        opened_at = self._clock.wall(None) if self._clock.wall else 0
        positions: dict[Lane, int] = {}
        for number, ledger in opened.items():
            lanes = self._source.lanes(number)
            self._shard_of.update(dict.fromkeys(lanes, number))
            merge = Merge(lanes, opened_at)
            self._shards[number] = Shard(
                number, owners[number], ledger, resumed[number], merge, timers=self._timers, users=users
            )
            self._shards[number].timers.begin(self._ledger, number, owners[number])
            for mark, offset in ledger.marks.items():
                role, _, part = mark.rpartition("/")
                positions[role, int(part)] = offset + 1
        log.info("shards gained", shards=len(shards))
        return positions

    def lost(self, shards: list[int], *, fenced: bool) -> None:
        self._give_up(fenced)
        for number in shards:
            self._shards.pop(number, None)
        self._paused.clear()
        log.info("shards given up", shards=len(shards), fenced=fenced)

    # one round

    def round(self, timeout_seconds: float) -> list[ShardBatch]:
        """What may be applied now, by shard; also shards where only time has passed."""
        enough = self._has_enough
        polled = Poll([], {}) if enough else self._source.poll(timeout_seconds)
        self._polled = self._round_records if enough else sum(len(chunk.offsets) for chunk in polled.chunks)
        wall = None if self._clock.wall is None else self._clock.wall(self._newest)
        self._newest = None
        for chunk in polled.chunks:
            shard = self._shards.get(self._shard_of[chunk.lane])
            if shard is not None:
                self._take(shard, chunk, wall or 0)
        for lane, known_at in polled.ended.items():
            shard = self._shards.get(self._shard_of[lane])
            if shard is not None:
                shard.merge.queues[lane].end_known(known_at)
        for lane, offset in polled.passed.items():
            shard = self._shards.get(self._shard_of[lane])
            if shard is not None and not shard.merge.queues[lane].items:
                shard.passed[shard.merge.queues[lane].mark] = offset
        now = self._clock.monotonic()
        for shard in self._shards.values():
            for queue in shard.merge.queues.values():
                queue.look(now, wall, self._clock.end_known_for)
        self._first = (self._first + 1) % max(1, len(self._shards))
        batches, room = [], self._round_records
        for shard in self._in_turns:
            batch, timers = self._release(shard, wall, room)
            batches.append(batch)
            room = max(0, room - len(batch.items) - timers)
        self._hold_back()
        return batches

    @property
    def _has_enough(self) -> bool:
        """Was so much read before that a round of it may be applied now? The rest is read when that is done."""
        ready = sum(shard.merge.ready for shard in self._shards.values() if not shard.calls.crowded)
        return ready >= self._round_records

    @property
    def _in_turns(self) -> list[Shard]:
        """All shards, another one first each round: where there is more than it takes, nobody is always last."""
        shards = [*self._shards.values()]
        return shards[self._first :] + shards[: self._first]

    @property
    def live(self) -> bool:
        """So little came that there is no backlog: what is due must not wait for company.

        Not the same as `caught_up`, which under a steady stream is hardly ever true of all lanes at one moment.
        """
        return (
            self._polled < self._live_records
            and not self._paused
            and not any(shard.merge.cut for shard in self._shards.values())
        )

    @property
    def caught_up(self) -> bool:
        """Every lane of every shard is read to its end and applied."""
        return bool(self._shards) and all(shard.merge.ended for shard in self._shards.values())

    def last_batches(self) -> list[ShardBatch]:
        """When everything is read: let event time come to its end, the last event's instant included. None there."""
        last = self._clock.until
        if last is None:
            last = max((shard.clock for shard in self._shards.values()), default=NEVER)
        batches, room = [], self._round_records
        for shard in self._in_turns:
            if shard.watermark <= last:
                pace = shard.timers.pace(last + 1, room)
                batches.append(ShardBatch(shard, [], {}, pace.until, NEVER, pace.ties))
                room = max(0, room - pace.due)
        return batches

    def _take(self, shard: Shard, chunk: Chunk, wall: int) -> None:
        role = chunk.lane[0]
        now = None if self._decode_wall is None else self._decode_wall()
        items: list[Any] = self._decoders[role].decode(chunk.values, now)
        try:
            times = [event.ts for event in items]
        except AttributeError:
            bad = 0
            for at, item in enumerate(items):
                if item.__class__ is Rejected:
                    bad += 1
                    items[at] = self._encode_dead(
                        chunk.lane, chunk.offsets[at], chunk.key(at), chunk.values[at], item
                    )
            if role == "letters":
                self._refuse_newer()  # only beckon writes letters: one that a newer release wrote must wait for it
            times = [NEVER if item.__class__ is DeadLetter else item.ts for item in items]
            metrics.EVENTS_INVALID.inc(bad)
            self._watch_bad(bad, len(items), now or 0)
        else:
            self._watch_bad(0, len(items), now or 0)
        newest = max(times, default=NEVER)
        self._newest = newest if newest > NEVER else self._newest
        self.records += len(items)
        metrics.RECORDS.labels(topic=role).inc(len(items))
        if role == "orders":
            note_orders(items)
        if self._clock.until is not None and newest > self._clock.until:
            kept = [at for at, ts in enumerate(times) if ts <= self._clock.until]
            items, times = [items[at] for at in kept], [times[at] for at in kept]
            chunk.offsets = [chunk.offsets[at] for at in kept]
        shard.merge.queues[chunk.lane].push(items, times, chunk.offsets, wall)

    def _release(self, shard: Shard, wall: int | None, room: int) -> tuple[ShardBatch, int]:
        """So many events as there is room for, and timers; how many timers that is.

        No event is released that is later than the time that may pass: it must find done what was due before it.
        """
        if shard.calls.crowded:
            metrics.LIMIT_HITS.labels(limit="calls_under_way").inc()
            pace = shard.timers.pace(shard.watermark, room)
            return ShardBatch(shard, [], {}, pace.until, NEVER, pace.ties), pace.due
        jitter = self._clock.out_of_orderness
        within_reach = shard.merge.within_reach(wall, self._clock.idle_after)
        if wall is None:
            within_reach = max(within_reach, shard.clock)
        pace = shard.timers.pace(within_reach - jitter, room)
        limited = pace.until < within_reach - jitter
        items, marks = shard.merge.release(room, pace.until + jitter if limited else ALWAYS)
        if wall is None or items or shard.merge.waiting:
            reached = shard.merge.reached(wall, self._clock.idle_after)
        else:
            reached = within_reach  # nothing stands in the way
        passing = reached - jitter
        if reached >= ALWAYS:  # a replay read to its end: `last_batches` takes it from here
            reached = shard.clock
            passing = max((item.ts for item in items if item.__class__ is not DeadLetter), default=NEVER)
        until = min(reached - jitter, pace.until)
        return ShardBatch(shard, items, marks, until, min(passing, pace.until), pace.ties), pace.due

    def _hold_back(self) -> None:
        """Bound what is queued: of too much, the lanes that are far ahead of their shard's others pause.

        Not the one that the others wait for: all that is queued of it may go out, and until then nothing is read.
        """
        queues = [queue for shard in self._shards.values() for queue in shard.merge.queues.values()]
        share = max(1, self._queued_limit // max(1, len(queues)))
        ahead: set[Lane] = set()
        if sum(len(queue.items) for queue in queues) > self._queued_limit:
            for shard in self._shards.values():
                held = shard.merge.queues.values() if shard.calls.crowded else shard.merge.ahead
                ahead |= {queue.lane for queue in held if len(queue.items) > share}
        done = {queue.lane for queue in queues if len(queue.items) <= share // 2} & self._paused
        self._change(self._source.pause, ahead - self._paused)
        self._change(self._source.resume, done)
        if ahead - self._paused:
            metrics.LIMIT_HITS.labels(limit="queued_records").inc()
        self._paused = (self._paused | ahead) - done

    @staticmethod
    def _change(how: Callable[[Iterable[Lane]], None], lanes: set[Lane]) -> None:
        if lanes:
            how(lanes)

    def _watch_bad(self, bad: int, count: int, now: int) -> None:
        minute, bad_before, count_before = self._minute
        if now // 60_000 != minute:
            minute, bad_before, count_before = now // 60_000, 0, 0
        self._minute = (minute, bad_before + bad, count_before + count)
        _, bad_now, count_now = self._minute
        if bad and bad_now >= self._bad_minimum and bad_now > self._bad_share * count_now:
            raise BadInput(
                f"{bad_now} of the last minute's {count_now} input records are bad, more than input.bad_share allows: "
                "is a producer broken? Nothing of this batch was committed"
            )
