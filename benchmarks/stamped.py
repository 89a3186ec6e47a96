"""Where does the time of a trigger go? The shipped command with a clock at each station on a trigger's way.

Run by benchmarks.latency as a process of its own: `python -m benchmarks.stamped FILE run --config ...`. At the end
FILE holds `ways`: by trace id, the nanoseconds at which a trigger that an event caused passed each of PASSED; `timers`:
by trigger id, when that was read which let time pass a trigger's timer; `rounds`: all times of commits and
publications; `busy`: the share of a core that the process took.
"""

from __future__ import annotations

import sys
import time
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from connectors.codec import Decoder
from connectors.kafka import KafkaLog
from connectors.publisher import OutboxPublisher
from console import cli
from flows.desk import Desk
from flows.outgoing import Outgoing
from triggers.trigger import Publish

TIMED = "payment_pending"  # a rule that only timers cause
PASSED = ("polled", "taken", "decided", "committed", "settled", "published", "out")


class Stamps:
    """Rounds follow one another on one thread: what comes next after a trigger was decided is what carried it."""

    def __init__(self) -> None:
        self.polled: dict[str, int] = {}
        self.taken: dict[str, int] = {}
        self.decided: dict[str, int] = {}
        self.rounds: dict[str, list[int]] = {name: [] for name in PASSED[3:]}
        self.timers: dict[str, int] = {}
        self._read_at = 0
        self._taken_at = 0

    def place(self) -> None:
        _after(KafkaLog, "poll", [], self._read)
        _before(Decoder, "decode", self._decoded)
        _before(Desk, "process", self._began)
        _before(Outgoing, "emit", self._emitted)
        _after(
            Desk, "commit", self.rounds["committed"], lambda sent: sent > 0
        )  # to no shard: no trigger went with it
        _after(Desk, "settle", self.rounds["settled"], lambda _: True)
        _before(OutboxPublisher, "begin", lambda now, *_: self.rounds["published"].append(now))
        _after(OutboxPublisher, "outcome", self.rounds["out"], lambda places: places is not None)

    def ways(self) -> dict[str, list[int]]:
        return {trace: way for trace in self.decided if (way := self._way(trace))}

    def _way(self, trace: str) -> list[int]:
        way = [self.polled[trace], self.taken[trace], self.decided[trace]]
        for times in self.rounds.values():
            at = bisect_left(times, way[-1])
            if at == len(times):
                return []  # decided as the run ended
            way.append(times[at])
        return way

    def _read(self, _: object) -> bool:
        self._read_at = time.time_ns()
        return False

    def _decoded(self, now: int, decoder: Any, values: list[bytes], wall: object) -> None:
        for value in values:
            if b'"traceparent"' in value:
                self.polled[msgspec.json.decode(value)["traceparent"]] = now

    def _began(self, now: int, *_: object) -> None:
        self._taken_at = now

    def _emitted(self, now: int, *args: Any) -> None:
        trace = args[-1]
        for decision in args[-2]:
            if decision.candidate.rule == TIMED and isinstance(decision.outcome, Publish):
                self.timers[decision.candidate.id] = self._read_at
        if trace is not None and trace not in self.decided:
            self.taken[trace], self.decided[trace] = self._taken_at, now


def _before(owner: type, method: str, note: Callable[..., None]) -> None:
    work = getattr(owner, method)

    def noted(*args: Any, **kwargs: Any) -> Any:
        note(time.time_ns(), *args)
        return work(*args, **kwargs)

    setattr(owner, method, noted)


def _after(owner: type, method: str, ended: list[int], counts: Callable[[Any], bool]) -> None:
    work = getattr(owner, method)

    def timed(*args: Any, **kwargs: Any) -> Any:
        result = work(*args, **kwargs)
        if counts(result):
            ended.append(time.time_ns())
        return result

    setattr(owner, method, timed)


def main(file: Path) -> None:
    stamps, started = Stamps(), time.monotonic()
    stamps.place()
    try:
        cli.main()
    finally:
        busy = time.process_time() / (time.monotonic() - started)
        said = {"ways": stamps.ways(), "timers": stamps.timers, "rounds": stamps.rounds, "busy": busy}
        file.write_bytes(msgspec.json.encode(said))


if __name__ == "__main__":
    path = Path(sys.argv.pop(1))
    main(path)
