"""How does a test run the whole flow in its own process? A file log, a ledger in memory, event time alone.

What is left out is the engine, which only calls the three steps of a round (flows/realtime.py), and the
servers. The files and the ledger stay between runs, as they would between processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec.structs import replace

from config.load import load
from config.settings import Files, Settings
from connectors.murmur2 import partition
from flows import assemble
from flows.assemble import Choices
from flows.rulebook import Written
from flows.station import Station
from state import events
from state.memory_ledger import MemoryLedger
from state.user import User, unpack

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = 1_790_000_000_000
_ROUNDS_LIMIT = 100_000
_ROLE = {
    kind.__struct_config__.tag: role
    for role, union in events.TOPICS.items()
    for kind in (get_args(union) or (union,))
}


@cache
def settings_of(*overrides: str) -> Settings:
    return load(
        None, {}, ["policy.enabled=false", "engine.commit_interval=1ms", "engine.commit_age=1ms", *overrides]
    )


def event(
    type_: str, after: int, user: str | None = "u1", event_id: str | None = None, **fields: Any
) -> dict[str, Any]:
    """An event `after` START (ms); its id is made of what it says unless given."""
    said = {"type": type_, "ts": START + after, **({"user_id": user} if user else {}), **fields}
    made = f"{type_}-{after}-{user}-{'-'.join(map(str, fields.values()))}"[:128]
    return {"event_id": event_id or made, **said}


def added(after: int, user: str = "u1", sku: str = "k1", **fields: Any) -> dict[str, Any]:
    return event("cart_item_added", after, user, sku=sku, quantity=1, price=100, **fields)


def ordered(after: int, user: str = "u1", sku: str = "k1", **fields: Any) -> dict[str, Any]:
    lines = [{"sku": sku, "quantity": 1, "price": 100}]
    order = {"order_id": f"o-{after}-{user}", "total": 100, "currency": "CNY", "lines": lines}
    return event("order_placed", after, user, **{**order, **fields})


def viewed(after: int, user: str = "u1", sku: str = "k1") -> dict[str, Any]:
    return event("product_viewed", after, user, sku=sku)


class Flow:
    """`overrides` as `--set` has them; `written`: where settings are read again while it runs."""

    def __init__(self, directory: Path, *overrides: str, partitions: int = 1) -> None:
        self.directory, self.partitions = directory, partitions
        self._overrides = overrides
        self.written: Written | None = None
        self.change()
        self.ledger = MemoryLedger(self.settings.engine.watchers_per_sku, self.settings.engine.audience_users)

    def write(self, *said: dict[str, Any]) -> None:
        """Append events to their topics, on the partitions of their keys."""
        for each in said:
            key = each.get("user_id") or each.get("sku") or ""
            self.write_bytes(_ROLE[each["type"]], msgspec.json.encode(each), key)

    def write_bytes(self, role: str, value: bytes, key: str = "") -> None:
        path = self.path(role, partition(key.encode(), self.partitions))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(value + b"\n")

    def path(self, role: str, part: int) -> Path:
        name = self.settings.kafka.topics
        topic: str = getattr(name, role)
        return (
            self.directory / f"{topic}.jsonl"
            if self.partitions == 1
            else self.directory / topic / f"{part}.jsonl"
        )

    def change(self, *overrides: str) -> None:
        """For the runs from now on."""
        self._overrides += overrides
        files = Files(directory=str(self.directory), partitions=self.partitions)
        self.settings = replace(settings_of(*self._overrides), files=files)

    def run(self, look: Callable[[Station, int], object] | None = None) -> Station:
        """Until everything is read and due, drained; how it ended. `look` sees every step, with its number."""
        with self._process() as station:
            for number, _ in enumerate(_steps(station)):
                if look is not None:
                    look(station, number)
            return station

    def run_and_die(self, steps_made: int) -> bool:
        """As a process that is killed after so many steps (apply, publish, apply, ...); False if it ended before."""
        with self._process() as station:
            steps = _steps(station)
            return all(next(steps, None) is not None for _ in range(steps_made))

    @contextmanager
    def _process(self) -> Iterator[Station]:
        choices = Choices(should_stop=lambda: False, closed=True, written=self.written)
        source = assemble.log_of(self.settings, choices)
        publisher = assemble.publisher_of(self.settings, source, choices)
        try:
            yield assemble.station_of(self.settings, source, self.ledger, publisher, choices)
        finally:
            publisher.close()
            source.close()
            self.ledger.abandon_commits()  # as a connection that is closed with answers unread

    def lines(self, role: str) -> list[dict[str, Any]]:
        """What is in an output topic, partition by partition."""
        paths = [self.path(role, part) for part in range(self.partitions)]
        return [
            msgspec.json.decode(line)
            for path in paths
            if path.exists()
            for line in path.read_bytes().splitlines()
        ]

    def triggers(self, rule: str | None = None) -> list[dict[str, Any]]:
        return [t for t in self.lines("triggers") if rule is None or t["data"]["rule"] == rule]

    def users(self) -> dict[str, User]:
        found: dict[str, User] = {}
        for shard in range(self.partitions):
            ids = self.ledger.user_ids(shard)
            blobs = self.ledger.load_users([(shard, user_id) for user_id in ids])
            found |= {user_id: unpack(blob or b"") for user_id, blob in zip(ids, blobs, strict=True)}
        return found


def _steps(station: Station) -> Iterator[str]:
    """What flows/realtime.py lets the engine call, stopping after each step."""
    for _ in range(_ROUNDS_LIMIT):
        batches = station.next_round()
        if batches is None:
            station.finish()
            yield "finished"
            station.publish()
            return
        station.apply(batches)
        yield "applied"
        station.publish()
        yield "published"
    raise AssertionError(f"the flow goes on after {_ROUNDS_LIMIT} rounds")
