"""What do the item shards know of a SKU, wherever its shard lives?"""

from __future__ import annotations

from connectors.murmur2 import partition
from flows.shard import Shard, unpack_item
from state.items import Item
from state.ledger import Ledger
from triggers.trigger import Claim


class ItemFacts:
    """Answers the rules' questions about stock and price, and keeps their claims.

    This process's own memory serves where the SKU's shard is ours, else that shard's ledger, asked at most
    once a round. `partitions`: over how many shards the inventory topic is spread.
    """

    def __init__(self, ledger: Ledger, shards: dict[int, Shard], partitions: int) -> None:
        self._ledger = ledger
        self._shards = shards
        self._partitions = partitions
        self._foreign: dict[str, Item | None] = {}
        self.read: set[int] = set()  # shards of which anything was read that must be proved ours

    def new_round(self) -> None:
        """What other shards said in the last round may have changed since."""
        self._foreign.clear()

    def __call__(self, sku: str) -> Item | None:
        number = self._shard_of(sku)
        own = self._shards.get(number)
        if own is None:
            if sku not in self._foreign:
                self._foreign[sku] = self._load(number, sku)
            return self._foreign[sku]
        if sku not in own.items:
            self.read.add(number)
            own.items[sku] = self._load(number, sku) or Item()
        return own.items[sku]

    def claim(self, claim: Claim, claimant: str) -> bool:
        """Take one of the claim's places, kept with the SKU's shard for all shards to see."""
        return self._ledger.claim(self._shard_of(claim.sku), claim.key, claimant, claim.limit)

    def _shard_of(self, sku: str) -> int:
        return partition(sku.encode(), self._partitions)

    def _load(self, shard: int, sku: str) -> Item | None:
        blob = self._ledger.load_items([(shard, sku)])[0]
        return None if blob is None else unpack_item(blob)
