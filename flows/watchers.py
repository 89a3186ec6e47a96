"""Who of this shard must hear of an edge of a SKU? Those who watch it; of a price only those it is low enough for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from connectors import metrics
from flows.letters import Letters
from flows.persons import Persons
from flows.shard import Shard
from state import events
from state.interest import highest_quote
from state.ledger import Ledger
from state.prices import fell
from triggers.plan import Plan


class Watchers:
    """`settle` waits until what is on its way to the ledger is there; `limit`: of watchers of a SKU in a shard."""

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        persons: Persons,
        letters: Letters,
        settle: Callable[[], None],
        limit: int,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._persons = persons
        self._letters = letters
        self._settle = settle
        self._limit = limit

    def tell(self, shard: Shard, edge: events.ItemEdge) -> None:
        """Ask the rules for every user of this shard who watches the SKU."""
        if not isinstance(edge, events.PriceEdge):
            for user_id in self._of(shard, edge.sku):
                self._tell(shard, user_id, edge)
        elif not self._is_dear(shard, edge):
            watchers = self._of(shard, edge.sku)
            self._remember_quotes(shard, edge.sku, watchers)
            for user_id in watchers:
                user = shard.users[user_id]
                if user.alias_of is not None or self._plan.listeners(user, edge):
                    self._tell(shard, user_id, edge)

    def _of(self, shard: Shard, sku: str) -> list[str]:
        """The watchers, all in memory."""
        self._settle()  # watchers on their way to the ledger must be there to be read
        self._persons.read.add(shard.number)
        watchers = self._ledger.load_watchers(shard.number, sku, self._limit)
        if len(watchers) == self._limit:
            metrics.LIMIT_HITS.labels(limit="watchers_per_sku").inc()
        watchers = [*dict.fromkeys([*watchers, *shard.watching.get(sku, ())])]
        self._persons.load((shard, user_id) for user_id in watchers)
        return watchers

    def _tell(self, shard: Shard, user_id: str, edge: events.ItemEdge) -> None:
        user = shard.users[user_id]
        self._persons.wake(shard, user, edge.ts)
        if user.alias_of is None:
            self._persons.tell(shard, user, edge)
        else:  # its watches have moved, but this edge may have come to the other shard before them
            self._letters.tell(shard, user, edge)

    # Prices fall often and a little: most falls concern nobody, which must not cost a look at every watcher.

    def _is_dear(self, shard: Shard, edge: events.PriceEdge) -> bool:
        """Is this price too high for everybody here, whatever each was quoted, or the item cost when each saw it?"""
        quoted, min_drop = shard.quoted.get(edge.sku), self._plan.min_drop
        if quoted is None or min_drop is None:
            return False
        highest = max(quoted, *(price for _, price in edge.prices))
        return not fell(edge.price, highest, min_drop)

    def _remember_quotes(self, shard: Shard, sku: str, watchers: Iterable[str]) -> None:
        users = [shard.users[user_id] for user_id in watchers]
        if all(user.alias_of is None for user in users):  # what an alias was quoted is not known here
            shard.remember_quotes(sku, max((highest_quote(user, sku) for user in users), default=0))
