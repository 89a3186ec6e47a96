"""What does a batch need that memory lacks? Its users, its items and who watches them, in one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from connectors import metrics
from flows.dead_letter import DeadLetter
from flows.persons import Persons
from flows.quintiles import Turn
from flows.shard import Shard, ShardBatch, unpack_item
from flows.watchers import Watchers
from state import events
from state.items import Item
from state.ledger import Ledger, Place

ITEM_EVENTS = frozenset(get_args(events.Inventory))
ITEM_EDGES = frozenset(get_args(events.ItemEdge))
CONTEXT_EVENTS = frozenset(get_args(events.Context))
AMONG_COUNTERS = frozenset(get_args(events.AmongCounters))
OF_NO_USER = frozenset(
    (
        DeadLetter,
        events.Letter,
        events.Call,
        Turn,
        *ITEM_EVENTS,
        *ITEM_EDGES,
        *CONTEXT_EVENTS,
        *AMONG_COUNTERS,
    )
)
"""What a desk does not simply fold into the user whose id it bears."""

Due = list[tuple[int, str]]


class Reading:
    """`read`: shards of which anything was read, which must be proved ours."""

    def __init__(self, ledger: Ledger, persons: Persons, watchers: Watchers, read: set[int]) -> None:
        self._ledger = ledger
        self._persons = persons
        self._watchers = watchers
        self._read = read

    def load(self, batches: Sequence[ShardBatch], due: Sequence[Due]) -> dict[int, str]:
        """What is on its way to the ledger, or not even that, must be in memory still.

        Answers with the owner of every shard of which anything was read, as of after that.
        """
        wanted: dict[Place, Shard] = {}
        of_items: list[tuple[Shard, Any]] = []
        for batch, timers in zip(batches, due, strict=True):
            shard, users, number = batch.shard, batch.shard.packed, batch.shard.number
            for event in batch.items:
                kind = event.__class__
                if kind not in OF_NO_USER:
                    user_id = event.user_id or event.anonymous_id
                    if user_id not in users:
                        wanted[number, user_id] = shard
                elif kind in ITEM_EVENTS or kind in ITEM_EDGES:
                    of_items.append((shard, event))
                elif kind is events.Letter:
                    wanted[number, event.to] = shard
            for _, user_id in timers:
                if user_id not in users:
                    wanted[number, user_id] = shard
        missing = {place: shard for place, shard in wanted.items() if not shard.holds(place[1])}
        read = len(missing) + self._load_items(of_items)
        metrics.CACHE_HITS.inc(sum(len(batch.items) for batch in batches) + sum(map(len, due)) - read)
        return self._look_up(missing, self._watchers.concerned(of_items))

    def _look_up(self, users: Mapping[Place, Shard], watched: Mapping[Place, Shard]) -> dict[int, str]:
        self._read.update(number for number, _ in (*users, *watched))
        asked = sorted(self._read)
        self._read.clear()
        if not asked:
            self._watchers.seen({})
            return {}
        found = self._ledger.look_up([*users], [*watched], self._watchers.limit, asked)
        metrics.CACHE_MISSES.inc(len(users))
        for ((_, user_id), shard), blob in zip(users.items(), found.users, strict=True):
            shard.admit(user_id, blob)
        self._watchers.seen(dict(zip(watched, found.watchers, strict=True)))
        self._persons.load(
            (shard, user_id)
            for place, shard in watched.items()
            for user_id in self._watchers.of_ledger(place)
        )
        return dict(zip(asked, found.owners, strict=True))

    def _load_items(self, of_items: Sequence[tuple[Shard, Any]]) -> int:
        missing = {
            (shard.number, event.sku): shard
            for shard, event in of_items
            if event.__class__ in ITEM_EVENTS and event.sku not in shard.items
        }
        if missing:
            metrics.CACHE_MISSES.inc(len(missing))
            self._read.update(number for number, _ in missing)
            blobs = self._ledger.load_items([*missing])
            for ((_, sku), shard), blob in zip(missing.items(), blobs, strict=True):
                shard.items[sku] = Item() if blob is None else unpack_item(blob)
        return len(missing)
