"""What do ops see of this process? Gauges set once a second, so that the hot path pays nothing for them."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, get_args

import structlog

from connectors import metrics
from connectors.log import InputLog
from connectors.publisher import Parcel, Resumed
from flows.merge import NEVER, LaneQueue
from flows.shard import Shard, ShardBatch
from state import events
from state.ledger import Entry, Opened
from triggers.catalog import RULES
from triggers.plan import Plan

log = structlog.get_logger("observe")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-")  # W3C; other text may hold anything
_trace_log = logging.getLogger("observe")

_EVERY_SECONDS = 1.0
_LIVE_SECONDS = (
    3600.0  # a trigger due longer ago comes from a backlog; its latency says nothing of this process
)


class Observer:
    """Call `look` every round; it looks once a second.

    While the shards are given up (`waiting`) what was seen last stays, and its age is what an alert goes by.
    """

    def __init__(self, source: InputLog) -> None:
        self._source = source
        self._looked_at = 0.0
        self._read_to: dict[str, float] = {}  # by role, Unix seconds
        self._shown: set[tuple[str, ...]] = set()
        metrics.LAST_COMMIT.set_to_current_time()

    def look(
        self, batches: Iterable[ShardBatch], shards: Iterable[Shard], *, caught_up: bool, waiting: bool
    ) -> None:
        now = time.monotonic()
        if now - self._looked_at < _EVERY_SECONDS:
            return
        self._looked_at = now
        held = list(shards)
        metrics.SOURCE_CAUGHT_UP.set(caught_up)
        metrics.TIMERS_LOADED.set(sum(len(shard.timers) for shard in held))
        metrics.STATE_USERS.set(sum(len(shard.packed) + len(shard.packed_before) for shard in held))
        if waiting and not held:
            return
        if not held:
            metrics.LAST_COMMIT.set_to_current_time()
        self._look_at_inputs(batches, held)

    def _look_at_inputs(self, batches: Iterable[ShardBatch], held: Collection[Shard]) -> None:
        """Watermark and lag; those of shards that went elsewhere must not stand there for ever."""
        marks = {str(batch.shard.number): batch.watermark for batch in batches if batch.watermark >= 0}
        for shard, watermark in marks.items():
            metrics.WATERMARK.labels(shard=shard).set(watermark / 1000)
        lag = {(role, str(part)): records for (role, part), records in self._source.lag().items()}
        for (role, part), records in lag.items():
            metrics.SOURCE_LAG.labels(topic=role, partition=part).set(records)
        self._read_to = _read_to(held, time.time())
        for role in self._read_to:
            metrics.SOURCE_LAG_SECONDS.labels(topic=role).set_function(partial(self._age, role))
        shown = {*((str(shard.number),) for shard in held), *lag}
        for gone in self._shown - shown:
            (metrics.WATERMARK if len(gone) == 1 else metrics.SOURCE_LAG).remove(*gone)
        self._shown = shown
        if not held:
            metrics.SOURCE_LAG_SECONDS.clear()

    def _age(self, role: str) -> float:
        """Asked at a scrape, so that it goes on growing while the flow stands still."""
        now = time.time()
        return max(0.0, now - self._read_to.get(role, now))


class Backlog:
    """How much waits to be published, and since when, as of each scrape: a publisher that hangs must show it.

    While the shards are given up (`waiting`) what they had is still not out.
    """

    def __init__(self, shards: Callable[[], Collection[Shard]], waiting: Callable[[], bool]) -> None:
        self._shards = shards
        self._waiting = waiting
        self._entries = 0
        self._oldest: dict[int, tuple[tuple[str, int | None, str], float]] = {}  # by shard, since when

    def entries(self) -> float:
        held = self._shards()
        if held or not self._waiting():
            self._entries = sum(len(shard.outbox) for shard in held)
        return self._entries

    def since(self) -> float:
        """Unix seconds of when the oldest was first seen there; now where none waits."""
        held, now = self._shards(), time.time()
        if held or not self._waiting():
            known, found = self._oldest, {}
            for shard in held:
                entry = shard.outbox.oldest
                if entry is not None:
                    which = (entry.topic, entry.partition, entry.id)
                    before = known.get(shard.number)
                    seen = before is not None and before[0] == which
                    found[shard.number] = which, before[1] if before is not None and seen else now
            self._oldest = found
        return min((since for _, since in self._oldest.values()), default=now)


_ORDER_EVENTS = frozenset(get_args(events.Orders))  # and no dead letter


def _read_to(held: Iterable[Shard], now: float) -> dict[str, float]:
    """By topic role, up to when (Unix seconds) everything is applied; the least over the shards."""
    found: dict[str, float] = {}
    for shard in held:
        for (role, _), queue in shard.merge.queues.items():
            found[role] = min(found.get(role, now), _applied_to(queue))
    return found


def _applied_to(queue: LaneQueue) -> float:
    if queue.items:
        at = next((ts for ts in queue.times if ts > NEVER), queue.arrived_at)
    elif queue.drained:
        at = queue.known_wall
    else:
        at = queue.reached if queue.reached > NEVER else queue.arrived_at
    return at / 1000


def show_at_scrape(
    shards: Callable[[], Collection[Shard]], ready: Callable[[], bool], waiting: Callable[[], bool]
) -> None:
    """What must be true also while the flow waits for a server, or hangs, and nobody looks."""
    backlog = Backlog(shards, waiting)
    metrics.READY.set_function(lambda: float(ready()))
    metrics.SHARDS_OWNED.set_function(lambda: float(len(shards())))
    metrics.OUTBOX_ENTRIES.set_function(backlog.entries)
    metrics.OUTBOX_OLDEST.set_function(backlog.since)


def show_rules(plan: Plan) -> None:
    """Every rule that may speak is seen, with 0 before it does; who reads of no other misses none."""
    speaking = {name for name, armed in plan.armed.items() if not armed.in_shadow}
    for rule in RULES:
        if rule.name in speaking:
            metrics.TRIGGERS.labels(rule=rule.name)
        else:
            metrics.TRIGGERS.remove(rule.name)


def note_orders(told: Sequence[Any]) -> None:
    """What the shop's orders did, from a poll of their topic."""
    counts: dict[Any, int] = {}
    for event in told:
        counts[event.__class__] = counts.get(event.__class__, 0) + 1
    for kind, count in counts.items():
        if kind in _ORDER_EVENTS:
            metrics.ORDERS.labels(step=kind.__struct_config__.tag).inc(count)


def note_reopened(opened: Mapping[int, Opened], resumed: Mapping[int, Resumed]) -> None:
    """How much of what is out already will be read once more: the store is behind what was published from it."""
    again = 0
    for number, each in resumed.items():
        marks = opened[number].marks
        again += sum(max(0, offset - marks.get(mark, -1)) for mark, offset in each.horizon.marks.items())
    metrics.REPLAYED_EVENTS.inc(again)


def note_published(parcels: Iterable[Parcel]) -> None:
    """How long after they became due the triggers of this round are out."""
    now, told = time.time(), _trace_log.isEnabledFor(logging.DEBUG)
    for parcel in parcels:
        for entry in parcel.entries:
            if entry.rule:
                late = now - entry.at / 1000
                if 0 <= late < _LIVE_SECONDS:
                    metrics.TRIGGER_LATENCY.labels(rule=entry.rule).observe(late)
                if told:
                    log.debug(
                        "a trigger is out", rule=entry.rule, trigger_id=entry.id, trace_id=_trace(entry)
                    )


def _trace(entry: Entry) -> str | None:
    """The trace that the event behind a trigger belongs to, if its producer said one."""
    parent = dict(entry.headers).get("traceparent")
    found = None if parent is None else _TRACEPARENT.match(parent.decode())
    return None if found is None else found.group(1)
