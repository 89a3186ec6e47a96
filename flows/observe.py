"""What do ops see of this process? Gauges set once a second, so that the hot path pays nothing for them."""

from __future__ import annotations

import time
from collections.abc import Iterable

from connectors import metrics
from connectors.log import InputLog
from connectors.publisher import Parcel
from flows.shard import Shard, ShardBatch

_EVERY_SECONDS = 1.0
_LIVE_SECONDS = (
    3600.0  # a trigger due longer ago comes from a backlog; its latency says nothing of this process
)


class Observer:
    """Call `look` every round; it looks once a second."""

    def __init__(self, source: InputLog) -> None:
        self._source = source
        self._looked_at = 0.0

    def look(
        self, batches: Iterable[ShardBatch], shards: Iterable[Shard], *, caught_up: bool, ready: bool
    ) -> None:
        now = time.monotonic()
        if now - self._looked_at < _EVERY_SECONDS:
            return
        self._looked_at = now
        for batch in batches:
            if batch.watermark >= 0:
                metrics.WATERMARK.labels(shard=str(batch.shard.number)).set(batch.watermark / 1000)
        for (role, part), records in self._source.lag().items():
            metrics.SOURCE_LAG.labels(topic=role, partition=str(part)).set(records)
        held = list(shards)
        metrics.SOURCE_CAUGHT_UP.set(caught_up)
        metrics.READY.set(ready)
        metrics.SHARDS_OWNED.set(len(held))
        metrics.TIMERS_LOADED.set(sum(len(shard.timers) for shard in held))
        metrics.STATE_USERS.set(sum(len(shard.users) + len(shard.packed) for shard in held))
        metrics.OUTBOX_ENTRIES.set(sum(len(shard.outbox) for shard in held))


def note_published(parcels: Iterable[Parcel]) -> None:
    """How long after they became due the triggers of this round are out."""
    now = time.time()
    for parcel in parcels:
        for entry in parcel.entries:
            if entry.rule:
                late = now - entry.at / 1000
                if 0 <= late < _LIVE_SECONDS:
                    metrics.TRIGGER_LATENCY.labels(rule=entry.rule).observe(late)
