"""Who of this shard must hear of an edge of a SKU? Those who watch it; of a price only those it is low enough for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connectors import metrics
from flows.letters import Letters
from flows.persons import Persons
from flows.shard import Shard
from state import events
from state.interest import highest_quote
from state.items import is_edge
from state.ledger import Ledger, Place
from state.prices import fell
from triggers.plan import Plan

ItemWord = events.Inventory | events.ItemEdge
NOBODY = -1  # quoted nothing, not even a view without a price: nobody here watches the SKU


class Watchers:
    """`limit`: of watchers of a SKU in a shard."""

    def __init__(self, plan: Plan, ledger: Ledger, persons: Persons, letters: Letters, limit: int) -> None:
        self._plan = plan
        self._ledger = ledger
        self._persons = persons
        self._letters = letters
        self.limit = limit
        self._seen: dict[Place, list[str]] = {}  # by shard and SKU, as the ledger has it

    def concerned(self, said: Iterable[tuple[Shard, ItemWord]]) -> dict[Place, Shard]:
        """Of which SKUs those who watch may have to hear of this.

        After a start a shard knows of no SKU what its watchers were quoted, and falls come by the hundred a second.
        """
        wanted: dict[Place, Shard] = {}
        before: dict[tuple[int, str, type[ItemWord]], ItemWord] = {}
        for shard, each in said:
            place = shard.number, each.sku
            if self._may_concern(shard, each, before.get((*place, each.__class__))):
                wanted[place] = shard
            before[*place, each.__class__] = each
        return wanted

    def seen(self, found: dict[Place, list[str]]) -> None:
        """Who watches them, as the ledger has it; true until the next commit."""
        self._note_full(found.values())
        self._seen = found

    def of_ledger(self, place: Place) -> list[str]:
        return self._seen[place]

    def tell(self, shard: Shard, edge: events.ItemEdge) -> None:
        """Ask the rules for every user of this shard who watches the SKU."""
        if not isinstance(edge, events.PriceEdge):
            for user_id in self._of(shard, edge.sku):
                self._tell(shard, user_id, edge)
        elif not self._is_dear(shard, edge.sku, edge.price, edge.prices):
            watchers = self._of(shard, edge.sku)
            self._remember_quotes(shard, edge.sku, watchers)
            if self._is_dear(shard, edge.sku, edge.price, edge.prices):
                return
            for user_id in watchers:
                user = shard.user(user_id)
                if user.alias_of is not None or self._plan.listeners(user, edge):
                    self._tell(shard, user_id, edge)

    def _may_concern(self, shard: Shard, said: ItemWord, before: ItemWord | None) -> bool:
        """A guess, which must be right mostly: a wrong one costs a read of its own, or one for nothing.

        `before`: what was said of the same in this batch; what was said earlier is in the item.
        """
        if isinstance(said, events.PriceEdge):
            return not self._is_dear(shard, said.sku, said.price, said.prices)
        item = shard.items.get(said.sku)
        if isinstance(said, events.PriceChanged) and item is not None and self._plan.min_drop is not None:
            price = before.price if isinstance(before, events.PriceChanged) else item.price
            if price is None or said.price < price:
                known = *item.prices, *((0, each) for each in (price,) if each is not None)
                return not self._is_dear(shard, said.sku, said.price, known)
        elif isinstance(said, events.StockChanged) and item is not None:
            left = before.available if isinstance(before, events.StockChanged) else item.available
            return left is not None and is_edge(left, said.available, self._plan.low_threshold)
        return isinstance(said, events.StockEdge)

    def _note_full(self, found: Iterable[list[str]]) -> None:
        full = sum(len(watchers) == self.limit for watchers in found)
        if full:
            metrics.LIMIT_HITS.labels(limit="watchers_per_sku").inc(full)

    def _of(self, shard: Shard, sku: str) -> list[str]:
        """The watchers, all in memory."""
        place = shard.number, sku
        if place not in self._seen:
            self._persons.read.add(shard.number)
            (self._seen[place],) = found = self._ledger.load_watchers([place], self.limit)
            self._note_full(found)
        new = *shard.watching_sent.get(sku, ()), *shard.watching.get(sku, ())
        watchers = [*dict.fromkeys([*self._seen[place], *new])]
        self._persons.load((shard, user_id) for user_id in watchers)
        return watchers

    def _tell(self, shard: Shard, user_id: str, edge: events.ItemEdge) -> None:
        user = shard.user(user_id)
        self._persons.wake(shard, user, edge.ts)
        if user.alias_of is None:
            self._persons.tell(shard, user, edge)
        else:  # its watches have moved, but this edge may have come to the other shard before them
            self._letters.tell(shard, user, edge)

    # Prices fall often and a little: most falls concern nobody, which must not cost a look at every watcher.

    def _is_dear(self, shard: Shard, sku: str, price: int, prices: Sequence[tuple[int, int]]) -> bool:
        """Is this price too high for everybody here, whatever each was quoted, or the item cost when each saw it?"""
        quoted, min_drop = shard.quoted.get(sku), self._plan.min_drop
        if quoted is None or min_drop is None:
            return False
        if quoted == NOBODY:
            return True
        return not fell(price, max((quoted, *(known for _, known in prices))), min_drop)

    def _remember_quotes(self, shard: Shard, sku: str, watchers: Iterable[str]) -> None:
        users = [shard.user(user_id) for user_id in watchers]
        if all(user.alias_of is None for user in users):  # what an alias was quoted is not known here
            shard.remember_quotes(sku, max((highest_quote(user, sku) for user in users), default=NOBODY))
