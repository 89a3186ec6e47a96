"""What protects exactly-once, one guard at a time, and how is each taken out?

The names are those of reliability 1.4. `weather` are the faults that the guard is there for. A guard that does not
show in random schedules within reason has a schedule of its own in test_directed.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

from msgspec import Struct

import connectors.publisher
import flows.outbox
from connectors.publisher import Committed, OutboxPublisher, Parcel, Progress, Resumed
from flows.outbox import Outbox
from state.ledger import Entry, Opened
from tests.simulation import broker, shop, store, transactions, wire
from tests.simulation.schedule import Guards, Schedule, check
from tests.simulation.weather import only, weather

SHOPS = 8
Patch = Callable[[], contextlib.AbstractContextManager[object]]


class Removed(Struct, frozen=True):
    """`caught_by`: the seed of a schedule that goes wrong without it; None: only one of test_directed.py does.

    `alone`: of no other faults than `weather`, which would only get in the way. `shops`: seed of the first of them.
    """

    name: str
    guards: Callable[[], Guards]
    weather: tuple[str, ...]
    alone: bool = False
    caught_by: int | None = 0
    shops: int = 0


def catches(seed: int, removed: Removed) -> bool:
    """Does this schedule go wrong without the guard?"""
    shop_seed = removed.shops + seed % SHOPS
    try:
        faults = (only if removed.alone else weather)(seed, *removed.weather)
        check(Schedule(seed, shop_seed, faults, removed.guards()), shop_seed)
    except Exception:  # noqa: BLE001 - however it goes wrong
        return True
    return False


def _patched(owner: Any, name: str, replacement: Any) -> Callable[[], Guards]:
    return lambda: Guards(patch=lambda: mock.patch.object(owner, name, replacement))


def _settled(*, out: bool, new_epoch: bool = True) -> Callable[..., bool]:
    def settle(self: OutboxPublisher, why: str, parcels: Sequence[Parcel]) -> bool:
        if new_epoch:
            self._transactions.renew()
        return out

    return settle


def _resume_without(field: str, empty: object) -> Callable[[], Guards]:
    real = OutboxPublisher.resume

    def resume(self: OutboxPublisher, opened: Mapping[int, Opened]) -> dict[int, Resumed]:
        found = real(self, opened)
        for each in found.values():
            setattr(each, field, empty)
        return found

    return _patched(OutboxPublisher, "resume", resume)


_resumed = OutboxPublisher.resume


def _resume_with_the_old_epoch(self: OutboxPublisher, opened: Mapping[int, Opened]) -> dict[int, Resumed]:
    self._unsettled = False
    return _resumed(self, opened)


def _look_away(self: OutboxPublisher) -> None:
    self._sent = ()


def _no_scan(self: transactions.SimulatedTransactions, starts: Mapping[int, int]) -> dict[int, set[str]]:
    return {shard: set() for shard in starts}


def _known_is_enough(ledger: Opened, group: Committed) -> bool:
    return False


def _nobody_is_told(ledger: Opened) -> bool:
    return False


def _seq_alone(entry: Entry) -> str:
    return str(entry.seq)


@contextlib.contextmanager
def _cursor_without_token() -> Iterator[None]:
    with (
        mock.patch.object(connectors.publisher, "cursor_of", _seq_alone),
        mock.patch.object(flows.outbox, "cursor_of", _seq_alone),
    ):
        yield


def _keep_labels(self: Outbox, entries: Sequence[Entry]) -> None:
    self.fresh = list(entries)
    del self._acked[self._going :]
    self._sent, self._rewrite = [[] for _ in self._sent], True


def _always_move(self: Outbox, parcel: Parcel, position: int | None) -> None:
    self._behind = False
    _published(self, parcel, position)


_published = Outbox.published
_committed = transactions.SimulatedTransactions.committed


def _no_watermark(self: Any, shards: Any, predecessors: Any) -> dict[int, Committed]:
    found = _committed(self, shards, predecessors)
    for each in found.values():
        each.progress.watermark = -1
    return found


def _skip_no_longer_than_marks(self: Outbox, progress: Progress, *, telling: bool = False) -> None:
    _acknowledged(self, progress, telling=False)


_acknowledged = Outbox.acknowledged


def _latest(self: Progress, other: Progress) -> Progress:
    return Progress(dict(other.marks), other.watermark)


REMOVED = (
    Removed(
        "marks in the ledger (group offset instead)",
        lambda: Guards(wire=wire.Guards(marks_of_the_ledger=False)),
        ("crash", "rollback"),
    ),
    Removed(
        "rollback scan", _patched(transactions.SimulatedTransactions, "scan", _no_scan), ("rollback", "crash")
    ),
    Removed("S used for replayed events", _resume_without("skip", set()), ("rollback",)),
    Removed(
        "whole compare-and-set",
        lambda: Guards(store=store.Guards(owner=False, version=False)),
        ("stop", "rollback", "churn"),
    ),
    Removed(
        "scan while behind",
        _patched(connectors.publisher, "_is_behind", _known_is_enough),
        ("rollback", "crash"),
        caught_by=6,
    ),
    Removed(
        "unknown outcome: publish again without reading",
        _patched(OutboxPublisher, "_settle", _settled(out=False)),
        ("lost_request",),
        caught_by=5,
    ),
    Removed(
        "version in the compare-and-set",
        lambda: Guards(store=store.Guards(version=False)),
        ("rollback",),
    ),
    Removed(
        "generation fence", lambda: Guards(broker=broker.Guards(generation_fence=False)), ("stop", "churn")
    ),
    Removed(
        "owner token",
        lambda: Guards(store=store.Guards(owner=False)),
        ("stop", "rollback", "churn"),
        caught_by=11,
    ),
    Removed("idle heartbeat", lambda: Guards(heartbeat=False), ("rollback",), alone=True, caught_by=None),
    Removed(
        "high watermark taken before joining",
        lambda: Guards(wire=wire.Guards(journal_end_after_join=False)),
        ("stop", "rollback", "churn"),
        caught_by=51,
    ),
    Removed(
        "relabelling after a scan",
        _patched(Outbox, "_hold_back", _keep_labels),
        ("rollback", "stop", "crash"),
        caught_by=None,
    ),
    Removed(
        "unknown outcome: assume committed",
        _patched(OutboxPublisher, "_settle", _settled(out=True)),
        ("lost_request",),
    ),
    Removed(
        "token in the cursor (sequence only)",
        lambda: Guards(patch=_cursor_without_token),
        ("rollback", "crash"),
        caught_by=121,
    ),
    Removed(
        "scan_from held while behind",
        _patched(Outbox, "published", _always_move),
        ("rollback", "crash"),
        caught_by=724,
    ),
    Removed(
        "cursor read before the join",
        lambda: Guards(wire=wire.Guards(cursor_after_join=False)),
        ("churn", "stop"),
        caught_by=5,
    ),
    Removed(
        "unknown outcome: no re-init",
        lambda: Guards(wire=wire.Guards(new_epoch=False)),
        ("late_request", "lost_request"),
        caught_by=1,
    ),
    Removed(
        "unknown outcome: a new epoch before opening again",
        _patched(OutboxPublisher, "resume", _resume_with_the_old_epoch),
        ("late_request", "lost_request"),
        caught_by=40,
    ),
    Removed(
        "own transaction over before the cursor is read",
        _patched(OutboxPublisher, "_let_go", _look_away),
        ("lost_commit", "lost_reply", "stop"),
    ),
    Removed(
        "stable read of the cursor",
        lambda: Guards(broker=broker.Guards(stable_read=False)),
        ("late_request", "stop"),
        caught_by=39,
    ),
    Removed(
        "random token (counter instead)",
        lambda: Guards(random_token=False),
        ("rollback", "stop"),
        alone=True,
        caught_by=None,
    ),
    Removed("H as a maximum", _patched(Progress, "most", _latest), ("rollback", "crash"), caught_by=14),
    Removed(
        "reopen on every new generation",
        lambda: Guards(wire=wire.Guards(reopen_every_generation=False)),
        ("stop", "churn"),
        caught_by=None,
    ),
    Removed(
        "wait for the last stable offset",
        lambda: Guards(broker=broker.Guards(last_stable_offset=False)),
        ("late_request", "rollback"),
        caught_by=None,
    ),
    Removed(
        "epoch fence on a delayed EndTxn",
        lambda: Guards(broker=broker.Guards(epoch_fence=False)),
        ("late_request",),
        caught_by=51,
    ),
    Removed(
        "time as an input (watermark in H)",
        _patched(transactions.SimulatedTransactions, "committed", _no_watermark),
        ("rollback", "crash"),
        caught_by=12,
    ),
    Removed(
        "scan while many are being told",
        _patched(connectors.publisher, "_is_telling", _nobody_is_told),
        ("rollback",),
        caught_by=7,
        shops=shop.WITH_CALLS,
    ),
    Removed(
        "skip until all are told",
        _patched(Outbox, "acknowledged", _skip_no_longer_than_marks),
        ("rollback",),
        caught_by=2,
        shops=shop.WITH_CALLS,
    ),
)
