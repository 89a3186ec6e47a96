"""What does the pure core cost an event, by kind? Desk, fold, rules and packing, without broker and store.

`python -m benchmarks core`: the events of benchmarks.shelves through a desk over eight shards and a ledger in memory,
all rules on. Most of them make the state; of the rest each kind is timed by itself, in many short portions, and the
least of each counts: on a shared machine the rest is other people's work. CPU of the process, microseconds an event.

`desk` is all that Desk.process does for it, the letters it causes among the other shards included; `commit` is the
packing of what it changed, and the ledger in memory. Of the desk: `fold`, and `rules` after it. Of a user: `pack` and
`unpack`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from benchmarks import shelves
from config.load import load, plan_of
from connectors.codec import Decoder, Rejected
from connectors.murmur2 import partition
from connectors.publisher import Resumed
from flows.desk import Desk
from flows.item_facts import ItemFacts
from flows.merge import NEVER, Merge
from flows.outgoing import Outgoing
from flows.reading import ITEM_EVENTS
from flows.realtime import tune_gc
from flows.shard import Shard, ShardBatch
from state import events
from state.fold import apply
from state.memory_ledger import MemoryLedger
from state.user import pack, unpack
from triggers.decide import on_event
from triggers.plan import Plan

SHARDS = 8
BATCH = 1_500  # of all shards: what comes between two commits, at 30,000 events a second
PORTION = 1_500
COLUMNS = ("desk", "commit", "fold", "rules", "pack", "unpack", "bytes")

Routed = tuple[int, Any]
"""Shard and event."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.core", description=__doc__)
    parser.add_argument("--events", type=int, default=300_000, help="that make the state")
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--portions", type=int, default=60)
    asked = parser.parse_args(arguments)
    core = Core()
    source = core.routed(shelves.events(asked.events + asked.portions * PORTION, asked.users, 30_000))
    for _ in range(asked.events // BATCH):
        core.apply([*islice(source, BATCH)])
    tune_gc()
    found: dict[str, dict[str, list[float]]] = {}
    counts: dict[str, int] = {}
    for _ in range(asked.portions):
        for kind, portion in _by_kind(islice(source, PORTION)).items():
            counts[kind] = counts.get(kind, 0) + len(portion)
            for name, cost in core.costs(portion).items():
                found.setdefault(kind, {}).setdefault(name, []).append(cost)
    _print({kind: {name: _low(costs) for name, costs in of.items()} for kind, of in found.items()}, counts)


def _low(costs: list[float]) -> float:
    """The lower quartile: the least of a kind that is rare would be what portion had the easiest of it."""
    return sorted(costs)[len(costs) // 4]


def _by_kind(source: Iterable[Routed]) -> dict[str, list[Routed]]:
    found: dict[str, list[Routed]] = {}
    for number, event in source:
        found.setdefault(event.__struct_config__.tag, []).append((number, event))
    return found


def _print(low: dict[str, dict[str, float]], counts: dict[str, int]) -> None:
    print(f"{'us an event':24}{'events':>8}" + "".join(f"{name:>9}" for name in COLUMNS))
    for kind, costs in low.items():
        figures = (f"{costs[name]:9.2f}" if name in costs else f"{'':9}" for name in COLUMNS)
        print(f"{kind:24}{counts[kind]:8,}" + "".join(figures))
    total = sum(counts.values())
    mean = sum(counts[kind] * (costs["desk"] + costs["commit"]) for kind, costs in low.items()) / total
    print(f"{'the mix':24}{total:8,}{mean:9.2f} desk and commit")


class Core:
    """A desk that owns all shards; every setting but those of `plan` at its default."""

    def __init__(self, plan: Plan | None = None) -> None:
        settings = load(None, {}, [])
        engine, self._plan = settings.engine, plan or plan_of(settings)
        ledger = MemoryLedger(engine.watchers_per_sku, engine.audience_users)
        self._decoders = {
            role: Decoder(role, union, max_bytes=1 << 18, currency="CNY", ahead_limit_ms=1 << 50)
            for role, union in events.TOPICS.items()
        }
        self._shards = {
            number: Shard(
                number,
                "bench",
                ledger.open(number, "bench"),
                Resumed([], ""),
                Merge([]),
                timers=engine.loaded_timers,
                users=settings.state.cached_users,
            )
            for number in range(SHARDS)
        }
        self._facts = ItemFacts(ledger, self._shards, SHARDS)
        self._desk = Desk(
            self._plan,
            ledger,
            self._shards,
            self._facts,
            Outgoing(self._plan, self._facts, app="bench", triggers_per_rule=False, on_decision=None),
            shard_count=SHARDS,
            out_of_orderness=settings.time.out_of_orderness,
            allowed_lateness=settings.time.allowed_lateness,
            watchers_limit=engine.watchers_per_sku,
            timers_limit=engine.loaded_timers,
            called_users=engine.called_users,
            audience_limit=engine.audience_users,
        )

    def routed(self, said: Iterable[tuple[str, str, dict[str, Any] | bytes]]) -> Iterator[Routed]:
        """As read: what is no event is left out."""
        for role, key, event in said:
            value = event if isinstance(event, bytes) else msgspec.json.encode(event)
            (read,) = self._decoders[role].decode([value], None)
            if read.__class__ is not Rejected:
                yield partition(key.encode(), SHARDS), read

    def apply(self, portion: list[Routed], *, until: int = NEVER) -> tuple[float, float]:
        """CPU seconds of desk and commit, of the letters that came of it too; what is due before `until` is done."""
        desk = commit = 0.0
        while portion or any(shard.watermark < until for shard in self._shards.values()):
            parts: list[list[Any]] = [[] for _ in range(SHARDS)]
            for number, event in portion:
                parts[number].append(event)
            batches = [
                ShardBatch(shard, parts[number], {}, max(until, shard.watermark), NEVER)
                for number, shard in self._shards.items()
            ]
            desk += _seconds(lambda: self._desk.process(batches))  # noqa: B023 # called at once
            for batch in batches:
                batch.shard.watermark = batch.watermark
            commit += _seconds(self._desk.commit)
            self._desk.settle()
            portion = [*self._letters()]
        return desk, commit

    def costs(self, portion: list[Routed]) -> dict[str, float]:
        """Microseconds an event, and bytes of a user packed."""
        found: dict[str, float] = {}
        if portion[0][1].__class__ not in ITEM_EVENTS:
            found = self._costs_of_users(portion)
        desk, commit = self.apply(portion)
        each = 1e6 / len(portion)
        return {"desk": desk * each, "commit": commit * each, **found}

    def _costs_of_users(self, portion: list[Routed]) -> dict[str, float]:
        """On copies, which are then thrown away."""
        portion = [each for each in portion if self._shards[each[0]].holds(each[1].user_id)]
        said = [event for _, event in portion]
        blobs = [pack(self._shards[number].user(event.user_id)) for number, event in portion]
        plan, facts, claim = self._plan, self._facts, self._facts.claim
        decisions: list[Any] = []
        copies = [[unpack(blob) for blob in blobs] for _ in range(2)]
        fold = _seconds(lambda: [apply(user, e, plan.fold) for user, e in zip(copies[0], said, strict=True)])
        both = _seconds(
            lambda: [
                on_event(user, e, plan, facts, claim, decisions, late_at=None)
                for user, e in zip(copies[1], said, strict=True)
            ]
        )
        packing = _seconds(lambda: [pack(user) for user in copies[1]])
        unpacking = _seconds(lambda: [unpack(blob) for blob in blobs])
        each = 1e6 / max(1, len(said))
        spent = {"fold": fold, "rules": both - fold, "pack": packing, "unpack": unpacking}
        return {
            "bytes": sum(map(len, blobs)) / max(1, len(blobs)),
            **{name: seconds * each for name, seconds in spent.items()},
        }

    def _letters(self) -> Iterator[Routed]:
        """What the desk has written to the other shards, as they read it; all else is thrown away."""
        decode = self._decoders["letters"].decode
        for shard in self._shards.values():
            parcel = shard.parcel(offsets=False, journal=False)
            if parcel is not None:
                shard.outbox.published(parcel, None)
                letters = [entry for entry in parcel.entries if entry.topic == "letters"]
                said = decode([entry.value for entry in letters], None)
                yield from zip((entry.partition or 0 for entry in letters), said, strict=True)


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
