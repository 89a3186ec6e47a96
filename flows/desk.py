"""What do these events and this moment change, and what follows? Load, decide, commit: the one stateful step.

The desk holds the process's shards. A batch is applied shard by shard: everything it needs is read in one
round trip, events are folded in order, due timers fire, and the whole change of a shard is one commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors import metrics
from flows.alarm import Alarm
from flows.crier import Crier
from flows.dead_letter import DeadLetter
from flows.item_facts import ItemFacts
from flows.letters import FAR_REACHING, Letters
from flows.outgoing import Outgoing
from flows.persons import Persons
from flows.quintiles import Quintiles, Turn
from flows.reading import AMONG_COUNTERS, CONTEXT_EVENTS, ITEM_EDGES, ITEM_EVENTS, OF_NO_USER, Reading
from flows.shard import QUOTING, Shard, ShardBatch
from flows.watchers import Watchers
from state import events
from state.folding import CHANGED, DUPLICATE, Applied
from state.items import apply_item
from state.ledger import Ledger
from state.user import User
from triggers.decide import on_event
from triggers.plan import Plan
from triggers.trigger import Decision


class Refused(Exception):
    """A commit was refused: another owner or version holds the shard. Its memory here is worthless."""


class Desk:
    """`shards` is shared with the intake; `shard_count` is how many there are over all processes."""

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        shards: dict[int, Shard],
        facts: ItemFacts,
        outgoing: Outgoing,
        *,
        shard_count: int,
        out_of_orderness: int,
        allowed_lateness: int,
        watchers_limit: int,
        timers_limit: int,
        called_users: int,
        audience_limit: int,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._shards = shards
        self._facts = facts
        self._outgoing = outgoing
        self._persons = Persons(plan, ledger, facts, outgoing, out_of_orderness)
        self._letters = Letters(self._persons, shard_count)
        self._crier = Crier(
            plan,
            ledger,
            self._persons,
            self._letters,
            allowed_lateness=allowed_lateness,
            users_a_round=called_users,
            audience_limit=audience_limit,
        )
        self._watchers = Watchers(plan, ledger, self._persons, self._letters, watchers_limit)
        self._reading = Reading(ledger, self._persons, self._watchers, facts.read)
        self._alarm = Alarm(self._persons, out_of_orderness)
        self._quintiles = Quintiles(plan, self._letters, self._alarm)
        self._lateness, self._out_of_orderness = allowed_lateness, out_of_orderness
        self._timers_limit = timers_limit
        self._under_way: list[Shard] = []
        self._read = facts.read
        self._events = 0

    # one round

    def process(self, batches: list[ShardBatch], once_read: Callable[[], None] = lambda: None) -> None:
        """Apply a batch to memory; nothing is in the ledger until `commit`.

        The last commit may still be under way: whom it changed is in memory, and whatever else is read waits for it.
        `once_read`: called when that is over; what it sends is worked on by the ledger while we apply.
        """
        if any(shard.full for shard in self._shards.values()):
            self.commit()
            self.settle()
        for shard in self._shards.values():
            shard.evict()
            self._quintiles.prepare(shard)
        self._facts.new_round()
        due = [self._pop_due(batch) for batch in batches]
        ties = [batch.shard.timers.pop_ties(batch.watermark, batch.ties) for batch in batches]
        self._prove(self._reading.load(batches, [[*a, *b] for a, b in zip(due, ties, strict=True)]))
        self._prove_reads()
        once_read()
        for batch, timers, tied in zip(batches, due, ties, strict=True):
            timers.sort(reverse=True)
            if happens := self._quintiles.with_turns(batch):
                self._apply(batch, happens, timers)
            self._alarm.fire(batch.shard, timers, batch.watermark)
            self._alarm.ring(batch.shard, tied, batch.watermark + 1)
            for at, user_id in timers:
                batch.shard.timers.set(user_id, at)
            batch.shard.put_away()
        self._go_on_calling()
        self._prove_reads()

    def commit(self, *, heartbeat: bool = False) -> int:
        """Send the change of every changed shard, once what was sent before is there; how many are under way.

        `heartbeat`: of the unchanged ones too, so that a quiet shard notices a new owner or a lost store.
        """
        self.settle()
        for shard in self._shards.values():
            if shard.changed or heartbeat:
                self._ledger.begin_commit(shard.number, shard.commit())
                self._under_way.append(shard)
        if self._events:
            metrics.COMMIT_BATCH.observe(self._events)
            self._events = 0
        return len(self._under_way)

    def settle(self) -> None:
        """Wait until every commit under way is in the ledger. Raises Refused if one was refused."""
        if not self._under_way:
            return
        under_way, self._under_way = self._under_way, []
        for shard, accepted in zip(under_way, self._ledger.finish_commits(), strict=True):
            if not accepted:
                metrics.COMMIT_CONFLICTS.labels(kind="fenced").inc()
                raise Refused(f"shard {shard.number}: another process owns it")
            shard.acknowledged()

    def forget_commits(self) -> None:
        """The shards are given up: what was under way no longer matters."""
        if self._under_way:
            self._under_way = []
            self._ledger.abandon_commits()

    def _go_on_calling(self) -> None:
        """Those who are told of what has been called out, a few more; and what is over is forgotten."""
        calling = [shard for shard in self._shards.values() if shard.calls.under_way]
        if any(shard.members for shard in calling):
            self.commit()  # who has joined an audience must be there to be read
        if calling:
            self.settle()
        self._crier.go_on(calling)
        for shard in calling:
            shard.put_away()
        for shard in self._shards.values():
            shard.calls.forget(shard.watermark, self._lateness)

    # reading what the batch needs

    def _prove_reads(self) -> None:
        """What another owner wrote must not be taken for ours: Redis may forget him, and take our commit upon it."""
        read = sorted(self._read)
        self._read.clear()
        self._prove(dict(zip(read, self._ledger.owners(read) if read else (), strict=True)))

    def _prove(self, owners: Mapping[int, str]) -> None:
        for number, owner in owners.items():
            if number in self._shards and self._shards[number].owner != owner:
                metrics.COMMIT_CONFLICTS.labels(kind="fenced").inc()
                raise Refused(f"shard {number}: another process owns it")

    def _pop_due(self, batch: ShardBatch) -> list[tuple[int, str]]:
        """Timers that time passes, no further than they are loaded; once it is there the next are loaded."""
        timers, shard = batch.shard.timers, batch.shard
        batch.watermark = min(batch.watermark, timers.horizon + 1)
        batch.passing = min(batch.passing, timers.horizon + 1)
        before = max(batch.watermark, batch.passing)
        found = timers.pop_due(before)
        if before > timers.horizon:
            if shard.due or self._under_way:
                self.commit()  # timers on their way to the ledger must be there to be read
                self.settle()
            loaded = self._ledger.load_timers(shard.number, timers.horizon, self._timers_limit)
            timers.extend(loaded, self._timers_limit)
            self._read.add(shard.number)
        return found

    # applying

    def _apply(self, batch: ShardBatch, happens: Sequence[Any], due: list[tuple[int, str]]) -> None:
        shard, plan = batch.shard, self._plan
        users, dirty, quoted = shard.users, shard.dirty, shard.quoted
        facts, claim, under_way = self._facts, self._facts.claim, shard.calls.under_way
        clock, lateness, out_of_orderness = shard.clock, self._lateness, self._out_of_orderness
        decisions: list[Decision] = []
        late_events = duplicates = 0
        for event in happens:
            kind = event.__class__
            if kind in OF_NO_USER:
                self._apply_userless(batch, due, event)
                clock = shard.clock
                continue
            ts = event.ts
            if ts > clock:
                shard.clock = clock = ts
            elif ts < clock - out_of_orderness:  # it finds done what was due before time had come so far
                self._alarm.pass_time(batch, due)
            late = ts < clock - lateness
            user_id = event.user_id or event.anonymous_id
            user = users.get(user_id) or shard.turn_to(user_id)
            if late or kind in FAR_REACHING or (user.own_ties is not None and user.own_ties.binds):
                known = self._letters.tell(shard, user, event, late=late) is DUPLICATE
                duplicates += known
                late_events += late and not known
                continue
            if under_way:
                self._persons.hear(shard, user)
            before = user.due
            if before is not None and before < ts and plan.decides(user, event):
                self._persons.wake(shard, user, ts)
                before = user.due
            applied = on_event(user, event, plan, facts, claim, decisions, late_at=None)
            if applied is DUPLICATE:
                duplicates += 1
                continue
            dirty[user_id] = user
            if quoted and kind in QUOTING and event.sku in quoted:
                shard.note_quote(user, event.sku)
            if user.due != before:
                shard.set_due(user_id, user.due)
            if applied is not CHANGED or decisions:
                self._follow_up(shard, user, event, applied, decisions)
        shard.marks.update(batch.marks)
        self._count(batch, late_events, duplicates)

    def _follow_up(
        self, shard: Shard, user: User, event: Any, applied: Applied, decisions: list[Decision]
    ) -> None:
        if decisions:
            self._outgoing.emit(shard, user, decisions, event.traceparent)
            decisions.clear()
        if applied is not CHANGED:
            self._persons.follow(shard, user, applied, event.ts)

    def _apply_userless(self, batch: ShardBatch, due: list[tuple[int, str]], event: Any) -> None:
        shard = batch.shard
        if isinstance(event, DeadLetter):
            shard.write("dead_letters", event.id, event.key, event.value, event.headers)
            metrics.DLQ_RECORDS.labels(topic=event.topic, reason=event.reason).inc()
            return
        if isinstance(event, Turn):
            self._quintiles.turn(batch, due, event.ts)
            return
        kind = event.__class__
        shard.clock = max(shard.clock, event.ts)
        if kind in ITEM_EVENTS:
            self._alarm.pass_time(batch, due)  # who is due before it must find the item as it was then
            item = shard.items[event.sku]
            plan = self._plan
            edge = apply_item(item, event, plan.low_threshold, tell_falls=plan.min_drop is not None)
            shard.changed_items[event.sku] = item
            if edge is not None and event.ts >= shard.clock - self._lateness:
                self._letters.to_all(shard, edge)
                self._watchers.tell(shard, edge)
        elif kind in ITEM_EDGES:
            self._watchers.tell(shard, event)
        elif kind is events.Letter:
            self._letters.deliver(shard, event)
        elif kind in AMONG_COUNTERS:
            self._quintiles.take(shard, event)
        elif kind is events.Call:
            self._crier.begin(shard, event.about)
        elif kind in CONTEXT_EVENTS:
            self._crier.announce(shard, event)

    def _count(self, batch: ShardBatch, late_events: int, duplicates: int) -> None:
        self._events += len(batch.items)
        rejected = sum(item.__class__ is DeadLetter for item in batch.items)  # the intake counts them
        metrics.EVENTS_OK.inc(len(batch.items) - late_events - duplicates - rejected)
        if late_events:
            metrics.EVENTS_LATE.inc(late_events)
        if duplicates:
            metrics.EVENTS_DUPLICATE.inc(duplicates)
