"""The graph: intake -> desk -> publisher, one single-worker Bytewax flow a process.

A Bytewax item is one round of the whole process, not one event, and its only key is the process itself:
routing by user costs more than everything else together (docs/performance.md). What flows between the
three steps is therefore small; the state they share is the `Station`.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from flows.shard import ShardBatch
from flows.station import Station

Round = list[ShardBatch]
R = TypeVar("R")
KEY = "desk"
GC_THRESHOLDS = (500_000, 20, 100)  # the defaults cost 15 % (docs/performance.md)


class UntilOneFails:
    """A station's steps until one of them fails; from then on none, and the flow comes to its end.

    Raised through Bytewax, an error of the configuration or the state would be printed as a panic of Rust's, with
    its stack, before our own words for it.
    """

    def __init__(self, station: Station) -> None:
        self._station = station
        self.error: Exception | None = None

    def next_round(self) -> Round | None:
        return self._tried(self._station.next_round)

    def apply(self, batches: Round) -> None:
        self._tried(lambda: self._station.apply(batches))

    def publish(self) -> None:
        self._tried(self._station.publish)

    def finish(self) -> None:
        self._tried(self._station.finish)

    def conclude(self) -> None:
        self._tried(self._station.conclude)

    def _tried(self, step: Callable[[], R]) -> R | None:
        if self.error is None:
            try:
                return step()
            except Exception as error:  # noqa: BLE001 - `run_graph` raises it again
                self.error = error
        return None


Steps = Station | UntilOneFails


class IntakeSource(DynamicSource[Round]):
    def __init__(self, station: Steps) -> None:
        self._station = station

    def build(self, step_id: str, worker_index: int, worker_count: int) -> StatelessSourcePartition[Round]:
        if worker_count != 1:
            raise ValueError("one worker a flow: start more processes instead (threads share the GIL)")
        return _IntakePartition(self._station)


class _IntakePartition(StatelessSourcePartition[Round]):
    def __init__(self, station: Steps) -> None:
        self._station = station

    def next_batch(self) -> list[Round]:
        batch = self._station.next_round()
        if batch is None:
            raise StopIteration
        return [batch]


class DeskLogic(StatefulBatchLogic[Round, bool, None]):
    """Bytewax keeps no state for us: a commit to the ledger is what survives."""

    def __init__(self, station: Steps) -> None:
        self._station = station

    def on_batch(self, values: list[Round]) -> tuple[list[bool], bool]:
        for batch in values:
            self._station.apply(batch)
        return [True], StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[bool], bool]:
        self._station.finish()
        return [True], StatefulBatchLogic.DISCARD

    def notify_at(self) -> datetime | None:
        return None

    def snapshot(self) -> None:
        return None


class PublishSink(DynamicSink[bool]):
    def __init__(self, station: Steps) -> None:
        self._station = station

    def build(self, step_id: str, worker_index: int, worker_count: int) -> StatelessSinkPartition[bool]:
        return _PublishPartition(self._station)


class _PublishPartition(StatelessSinkPartition[bool]):
    def __init__(self, station: Steps) -> None:
        self._station = station

    def write_batch(self, items: list[bool]) -> None:
        self._station.publish()

    def close(self) -> None:
        self._station.conclude()


def graph(station: Steps) -> Dataflow:
    """The dataflow over one process's station."""
    dataflow = Dataflow("beckon")
    rounds = op.input("intake", dataflow, IntakeSource(station))
    keyed = op.key_on("process", rounds, lambda _: KEY)
    applied: Any = op.stateful_batch("desk", keyed, lambda _: DeskLogic(station))
    done = op.map("done", applied, lambda pair: pair[1])
    op.output("publish", done, PublishSink(station))
    return dataflow


def run_graph(station: Station) -> None:
    """Run to the end on this thread, the only one that polls, commits and publishes."""
    steps = UntilOneFails(station)
    cli_main(graph(steps))  # type: ignore[no-untyped-call]
    if steps.error is not None:
        raise steps.error


def flow() -> Dataflow:
    """For `python -m bytewax.run flows.realtime`: settings from the environment, read when called."""
    from flows.service import dataflow_from_environment

    return dataflow_from_environment()


def tune_gc() -> None:
    """Our objects form no cycles; looking for some costs more than a tenth of the throughput."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
