"""What does one event, or one moment, do to one person of a shard? Loaded, woken, told, united with another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from connectors import metrics
from flows.item_facts import ItemFacts
from flows.outgoing import Outgoing
from flows.shard import QUOTING, Shard
from state.audience import INTERESTED, delist, listed, relist
from state.folding import CHANGED, DUPLICATE, Applied
from state.interest import interests
from state.ledger import Ledger
from state.union import unite
from state.user import User
from triggers.decide import on_event, on_union, wake
from triggers.plan import Plan
from triggers.trigger import Decision


class Persons:
    """Users of any shard of this process; what follows for them goes into the outbox of their shard."""

    def __init__(
        self, plan: Plan, ledger: Ledger, facts: ItemFacts, outgoing: Outgoing, out_of_orderness: int
    ) -> None:
        self._out_of_orderness = out_of_orderness
        self._plan = plan
        self._ledger = ledger
        self.read = facts.read
        self._facts = facts
        self._outgoing = outgoing

    def load(self, wanted: Iterable[tuple[Shard, str]]) -> int:
        """Read those that memory lacks, in one round trip; how many."""
        missing = [(shard, user_id) for shard, user_id in wanted if not shard.holds(user_id)]
        if missing:
            metrics.CACHE_MISSES.inc(len(missing))
            self.read.update(shard.number for shard, _ in missing)
            blobs = self._ledger.load_users([(shard.number, user_id) for shard, user_id in missing])
            for (shard, user_id), blob in zip(missing, blobs, strict=True):
                shard.admit(user_id, blob)
        return len(missing)

    def find(self, shard: Shard, user_id: str) -> User:
        self.load([(shard, user_id)])
        return shard.user(user_id)

    def tell(self, shard: Shard, user: User, event: Any, *, late: bool = False) -> Applied:
        """An event has reached this user: first what was said before it and what is due, then what it changes.

        What is due before a `late` one is what is due by the clock of the shard, as far as time has come by that.
        """
        self.hear(shard, user)
        return self._tell(shard, user, event, late=late)

    def hear(self, shard: Shard, user: User) -> None:
        """What has been called out to the user, but the walk through the audience has not come so far."""
        for calling in shard.calls.under_way:
            if (
                user.user_id > calling.after
                and calling.audience in listed(user)
                and user.scenes.called_to < calling.number
                and self.belongs(shard, user, calling.audience)
            ):
                user.scenes.called_to = calling.number
                self.call(shard, user, calling.content)

    def call(self, shard: Shard, user: User, content: Any, *, at: int = 0) -> None:
        """Tell one of many, who came to the audience `at`; whom it does not concern is not touched."""
        if at > content.ts:
            content = replace(content, ts=at)
        if content.ends_at > content.ts and self._plan.reaches(user, content):
            self._tell(shard, user, content)

    def belongs(self, shard: Shard, user: User, audience: str) -> bool:
        """Whether somebody on the list of an audience is of it still; an alias, say, is not, and leaves the list."""
        if audience == INTERESTED and delist(user):
            shard.dirty[user.user_id] = user
        if audience in listed(user):
            return True
        shard.members[audience, user.user_id] = False
        return False

    def follow(self, shard: Shard, user: User, applied: Applied, ts: int, *, late: bool = False) -> None:
        """What the user has bought, watches, belongs to since `ts`. Who comes to an audience hears what is not over."""
        if applied.bought:
            shard.buyers.count(user)
        if applied.watches is not None:
            watchers = shard.watching.setdefault(applied.watches, {})
            watchers[user.user_id] = max(ts, watchers.get(user.user_id, ts))
        for audience in applied.leaves:
            shard.members[audience, user.user_id] = False
        for audience in applied.joins:
            shard.members[audience, user.user_id] = True
            callings = [] if late else shard.calls.of(audience)
            for calling in callings:
                if not calling.done:
                    user.scenes.called_to = max(user.scenes.called_to, calling.number)
                self.call(shard, user, calling.content, at=ts)

    def _tell(self, shard: Shard, user: User, event: Any, *, late: bool = False) -> Applied:
        decisions: list[Decision] = []
        late_at = max(shard.clock - self._out_of_orderness, user.decided_at) if late else None
        if late_at is not None:
            self._wake(shard, user, late_at)
        elif user.due is not None and user.due < event.ts and self._plan.decides(user, event):
            self._wake(shard, user, event.ts)
        before = user.due
        applied = on_event(
            user, event, self._plan, self._facts, self._facts.claim, decisions, late_at=late_at
        )
        if applied is not DUPLICATE:
            shard.dirty[user.user_id] = user
            if isinstance(event, QUOTING):
                shard.note_quote(user, event.sku)
            if user.due != before:
                shard.set_due(user.user_id, user.due)
            self._outgoing.emit(shard, user, decisions, event.traceparent)
            if applied is not CHANGED:
                self.follow(shard, user, applied, event.ts, late=late)
        return applied

    def wake(self, shard: Shard, user: User, before: int) -> None:
        """Do what is due for this user before `before`, in order."""
        self.hear(shard, user)
        self._wake(shard, user, before)

    def _wake(self, shard: Shard, user: User, before: int) -> None:
        changed = False
        while user.due is not None and user.due < before:
            changed = True
            decisions: list[Decision] = []
            wake(user, user.due, self._plan, self._facts, self._facts.claim, decisions)
            # Before the next moment changes the user: a trigger shows the profile of its own.
            self._outgoing.emit(shard, user, decisions, None)
        if changed:
            shard.buyers.count(user)  # whoever has bought before buyers were counted
            shard.dirty[user.user_id] = user
            shard.set_due(user.user_id, user.due)

    def unite(self, shard: Shard, user: User, moved: User, at: int) -> None:
        """What another id of this person was comes to this user, with what it watches and waits for."""
        self.wake(shard, user, at)
        decisions: list[Decision] = []
        dropped = unite(user, moved, self._plan.fold)
        if dropped:
            metrics.LIMIT_HITS.labels(limit="pending").inc(len(dropped))
        shard.buyers.count(user)
        on_union(user, dropped, at, self._plan, self._facts, self._facts.claim, decisions)
        shard.dirty[user.user_id] = user
        shard.set_due(user.user_id, user.due)
        for sku, seen_at in interests(moved).items():
            watchers = shard.watching.setdefault(sku, {})
            watchers[user.user_id] = max(seen_at, watchers.get(user.user_id, seen_at))
            shard.note_quote(user, sku)
        self._outgoing.emit(shard, user, decisions, None)
        joins, leaves = relist(user)
        self.follow(shard, user, Applied(True, None, joins, leaves), at)
