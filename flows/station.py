"""What does one process hold, and when does it commit and publish? Intake, desk and publisher around their shards."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import structlog

from connectors import metrics
from connectors.log import InputLog, LogUnavailable
from connectors.publisher import Fenced, Parcel, Publisher
from connectors.traces import Traces
from flows.cadence import Cadence
from flows.desk import Desk, Refused
from flows.going import Going
from flows.intake import Intake
from flows.observe import Observer
from flows.quiet import Quiet
from flows.rulebook import Rulebook
from flows.shard import Shard, ShardBatch
from state.redis_ledger import StoreUnavailable
from triggers.plan import Plan

log = structlog.get_logger("station")

_POLL_BUSY_SECONDS = 0.002
_POLL_IDLE_SECONDS = 0.02
_OFFSETS_SECONDS = 1.0
_RETRY_FIRST_SECONDS, _RETRY_LAST_SECONDS = 0.1, 3.0
_AWAY = (StoreUnavailable, LogUnavailable)


class Station:
    """`should_stop` is asked once a round. `until_caught_up`: end when all is read and all that is due is done."""

    def __init__(
        self,
        shards: dict[int, Shard],
        source: InputLog,
        desk: Desk,
        publisher: Publisher,
        rulebook: Rulebook,
        cadence: Cadence,
        *,
        should_stop: Callable[[], bool],
        until_caught_up: bool,
        follows: bool,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        traces: Traces | None = None,
    ) -> None:
        self.shards = shards
        self.intake: Intake = None  # type: ignore[assignment] # set by `start`
        self._source = source
        self._desk = desk
        self._publisher = publisher
        self._rulebook = rulebook
        self._cadence = cadence
        self._should_stop = should_stop
        self._until_caught_up = until_caught_up
        self._monotonic = monotonic
        self._sleep = sleep
        self._traces = traces
        self._committed_at = float("-inf")  # the first commit waits for nothing, however young the machine
        self._heartbeat_at = 0.0
        self._offsets_at = 0.0
        self._journal_at: dict[int, float] = {}
        self._quiet = Quiet(follows=follows, monotonic=monotonic)
        self._ending = False
        self._giving_up = False
        self._draining = False
        self._going = Going(publisher, monotonic, traces)
        self._applied_at: float | None = None
        self._observer = Observer(source)
        self._retry_seconds = _RETRY_FIRST_SECONDS
        self.progress_at = self._monotonic()
        self.trouble: str | None = None

    def start(self, intake: Intake) -> None:
        self.intake = intake
        self._source.start(intake)

    # the three steps of a round

    def next_round(self) -> list[ShardBatch] | None:
        """What to apply next; None when the flow is over."""
        if self._should_stop():
            return None
        try:
            busy = self._going.parcels or not self.intake.caught_up
            batches = self.intake.round(_POLL_BUSY_SECONDS if busy else _POLL_IDLE_SECONDS)
        except _AWAY as error:
            self._note_trouble(error)
            batches = None
        if batches is None:
            self._wait_and_reopen()
            return []
        if self._until_caught_up and not self._ending:
            self._ending = self._quiet.holds(batches, self.shards.values(), caught_up=self.intake.caught_up)
        if self._ending:
            last = self.intake.last_batches()
            if not last:
                return None
            batches += last
        return batches

    def apply(self, batches: list[ShardBatch]) -> None:
        """Fold, decide, and commit when it is time; by the rules that are in force when it begins."""
        self._rulebook.turn()
        batches = [b for b in batches if self.shards.get(b.shard.number) is b.shard]
        if self._applied_at is None and any(batch.items for batch in batches):
            self._applied_at = self._monotonic()
        try:
            self._desk.process(batches, self._commit_backlog)
            for batch in batches:
                batch.shard.watermark = max(batch.shard.watermark, batch.watermark)
            self._commit_in_time()
        except (*_AWAY, Refused) as error:
            self._note_trouble(error)
            well = False
        except BaseException:
            self._drop_memory()  # the shards are taken away as we end, and what is theirs would be committed
            raise
        else:
            self._note_progress()
            well = True
        if not well:
            self._wait_and_reopen()
        self._observer.look(
            batches, self.shards.values(), caught_up=self.intake.caught_up, waiting=self.waiting
        )

    def _commit_backlog(self) -> None:
        """What the rounds before have changed, when it is old enough; nobody waits for it."""
        now = self._monotonic()
        if not self.intake.live and now - self._committed_at >= self._cadence.age_seconds:
            self._committed_at = now
            self._applied_at = None
            self._desk.commit()
            metrics.LAST_COMMIT.set_to_current_time()

    def _commit_in_time(self) -> None:
        now, live = self._monotonic(), self.intake.live
        heartbeat = now - self._heartbeat_at >= self._cadence.heartbeat_seconds
        if not (heartbeat or (live and now - self._committed_at >= self._cadence.interval_seconds)):
            return
        if not self._desk.commit(heartbeat=heartbeat):
            return
        self._committed_at = now
        if heartbeat:  # by a clock of its own: busy shards must not keep a quiet one from proving itself
            self._heartbeat_at = now
        self._desk.settle()  # the trigger waits for this
        done = self._monotonic()
        metrics.COMMIT_DURATION.observe(done - now)
        if self._applied_at is not None:
            metrics.PROCESSING_LATENCY.observe(done - self._applied_at)
        if self._traces is not None:
            self._traces.committed(done - (self._applied_at or now), done - now)
        self._applied_at = None
        metrics.LAST_COMMIT.set_to_current_time()

    def publish(self) -> None:
        """Send what the ledger has acknowledged, and now and then the offsets alone; once the round before is out."""
        try:
            if not self._going.is_over(self.shards, wait=self._draining):
                return
            parcels = self._parcels()
            if parcels:
                self._going.begin(parcels)
                self._going.is_over(self.shards, wait=self._draining)
        except (Fenced, LogUnavailable) as error:
            if isinstance(error, Fenced):
                metrics.COMMIT_CONFLICTS.labels(kind="fenced").inc()
            if not self._giving_up:
                self._note_trouble(error, "publishing: ")
        else:
            return
        if self._giving_up:  # within a rebalance, which opens what stays ours by itself
            self._drop_memory()
        else:
            self._wait_and_reopen()

    def _parcels(self) -> list[Parcel]:
        now = self._monotonic()
        offsets_due = now - self._offsets_at >= _OFFSETS_SECONDS
        if offsets_due:
            self._offsets_at = now
        parcels = []
        for number, shard in self.shards.items():
            journal_due = now - self._journal_at.setdefault(number, now) >= self._cadence.journal_seconds
            parcel = shard.parcel(offsets=offsets_due, journal=journal_due)
            if parcel is not None:
                parcels.append(parcel)
                if parcel.journal:
                    self._journal_at[number] = now
        return parcels

    def finish(self) -> None:
        """Drain: everything applied goes into the ledger; `publish` follows, and waits until it is out."""
        self._draining = True
        try:
            self._desk.commit()
            self._desk.settle()
            self._offsets_at = 0.0
        except (*_AWAY, Refused) as error:
            log.warning("could not drain, the next start replays it", error=str(error))
            self._drop_memory()

    def conclude(self) -> None:
        """After the last round is out: the ledger learns it, so that the next start finds an empty outbox."""
        self.finish()

    def give_up(self, fenced: bool) -> None:
        """The group takes shards away: finish what is theirs, unless somebody else may own them already."""
        if fenced:
            self._desk.forget_commits()
            self._going.forget()
        else:
            self._giving_up = True
            self.finish()
            self.publish()
            self._giving_up = self._draining = False

    @property
    def clock(self) -> int:
        """The latest event time applied."""
        return max((shard.clock for shard in self.shards.values()), default=-1)

    def busy_seconds(self, since: float) -> float:
        """From `since` (monotonic) to the last round that had events in it."""
        return self._quiet.busy_until - since

    # whether we are well

    @property
    def plan(self) -> Plan:
        """Which rules and policy are in force; becomes another between two rounds."""
        return self._rulebook.plan

    @property
    def waiting(self) -> bool:
        """For the store or the log to answer."""
        return self.trouble is not None or self._source.trouble is not None

    @property
    def ready(self) -> tuple[bool, str]:
        trouble = self.trouble or self._source.trouble or self._publisher.trouble
        if trouble is not None:
            return False, trouble
        if not self.shards:
            return False, "no shards yet"
        owned = f"{len(self.shards)} shard{'s' if len(self.shards) != 1 else ''} owned"
        return True, owned if self._rulebook.refused is None else f"{owned}; {self._rulebook.refused}"

    @property
    def healthy(self) -> tuple[bool, str]:
        """By progress: a full round within three heartbeats."""
        silent = self._monotonic() - self.progress_at
        limit = 3 * self._cadence.heartbeat_seconds
        return silent < limit, f"last full round {silent:.1f} s ago, {limit:.0f} s are allowed"

    def _note_progress(self) -> None:
        """A round over shards proves the store by its heartbeat; one over none proves nothing while in trouble.

        And none is one while the log does not answer: an empty poll is what it says then, too.
        """
        if self._source.trouble is None and (self.shards or self.trouble is None):
            self.progress_at = self._monotonic()
            self.trouble = None
            self._retry_seconds = _RETRY_FIRST_SECONDS

    def _wait_and_reopen(self) -> None:
        """Our memory may not be what the ledger holds: forget it, and open again what is still ours."""
        # Never in an `except`: the Kafka client would hold our error and its frames for ever (connectors/answers.py).
        log.warning("giving the shards up and opening them again", why=self.trouble)
        self._drop_memory()
        while not self._should_stop():
            self._sleep(self._retry_seconds)
            self._retry_seconds = min(self._retry_seconds * 2, _RETRY_LAST_SECONDS)
            gc.collect(1)  # errors of redis-py hold themselves, and the shards in the frames above
            try:
                self._rulebook.renew()
                self._source.reopen()
                return
            except _AWAY as again:
                self._note_trouble(again)

    def _note_trouble(self, error: Exception, when: str = "") -> None:
        self.trouble = f"{when}{error}"
        if isinstance(error, StoreUnavailable):
            metrics.STORE_ERRORS.labels(kind=error.kind).inc()

    def _drop_memory(self) -> None:
        """It may hold half a batch: changes without their marks, which no later commit may write."""
        self._desk.forget_commits()
        self._going.forget()
        self.shards.clear()
