"""How do many users hear of one thing? The shard that reads it writes to all shards, and each tells its own users.

Who watches a SKU is told at once, as they are few (flows/watchers.py). Of a weather alert or a campaign's stage all of
the audience is told as if at the moment at which the shard read of it: it walks through the audience some users a
round, in the order of their ids, and commits how far it has come with what they were told; whoever has an event or a
timer meanwhile is told before that (`Persons.hear`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors import metrics
from flows.letters import Letters
from flows.persons import Persons
from flows.shard import Shard
from state.calls import Call, Calling
from state.ledger import Ledger
from state.letters import id_of
from triggers.plan import Plan


class Crier:
    """`users_a_round` of this process are told in one round; an audience has at most `audience_limit` of a shard."""

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        persons: Persons,
        letters: Letters,
        *,
        allowed_lateness: int,
        users_a_round: int,
        audience_limit: int,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._persons = persons
        self._letters = letters
        self._lateness = allowed_lateness
        self._users_a_round = users_a_round
        self._audience_limit = audience_limit

    def announce(self, shard: Shard, event: Any) -> None:
        """A context event has been read: every shard must hear of it, this one at once.

        It is late if what it speaks of had begun that long ago.
        """
        if not self._plan.audiences(event):
            metrics.CALLS_FOR_NOBODY.inc()
        elif max(event.ts, event.starts_at) < shard.clock - self._lateness:
            metrics.CALLS_LATE.inc()
        elif self.begin(shard, event):
            metrics.CALLS_TOLD.inc()
            call_id = id_of("call", event.__class__.__name__, event.event_id)
            self._letters.to_all(shard, Call(event_id=call_id, ts=event.ts, about=event))

    def begin(self, shard: Shard, content: Any) -> bool:
        """False if nobody is concerned, or it was known."""
        begun = [shard.calls.begin(each, content, shard.clock) for each in self._plan.audiences(content)]
        return any(begun)

    def go_on(self, shards: Sequence[Shard]) -> None:
        """Tell the next users of each shard. Who has joined an audience must be in the ledger."""
        for shard in shards:
            self._go_on(shard, max(1, self._users_a_round // len(shards)))

    def _go_on(self, shard: Shard, limit: int) -> None:
        """The call that is under way the longest comes first."""
        calling = shard.calls.under_way[0]
        self._plan.under(shard.buyers.head.published)
        self._persons.read.add(shard.number)
        ids = self._ledger.load_audience(shard.number, calling.audience, calling.after, limit)
        strangers = [user_id for user_id in ids if not shard.holds(user_id)]
        self._persons.load((shard, user_id) for user_id in strangers)
        for user_id in ids:
            self._tell(shard, calling, user_id)
        for user_id in strangers:
            if user_id not in shard.dirty:
                shard.turn_away(user_id)  # those who come by themselves have the memory
        shard.put_away()
        calling.after, calling.told = ids[-1] if ids else calling.after, calling.told + len(ids)
        calling.done = len(ids) < limit
        shard.calls.note(calling)
        if calling.done and calling.told >= self._audience_limit:
            metrics.LIMIT_HITS.labels(limit="audience_users").inc()

    def _tell(self, shard: Shard, calling: Calling, user_id: str) -> None:
        user = shard.user(user_id)
        heard = user.own_scenes is not None and user.own_scenes.called_to >= calling.number
        if not heard and self._persons.belongs(shard, user, calling.audience):
            self._persons.call(shard, user, calling.content)
