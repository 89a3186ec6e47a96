"""How does a process of beckon die at exactly this step, or live by a wrong clock, without a line of it changed?

Python imports a module of this name at its start where it finds one: `Stage.start` puts this folder on PYTHONPATH.
It steps in between beckon and the libraries it talks through.

    CHAOS_CRASH=commit-after:7       kill -9 after the 7th commit of a transaction; the points are in `POINTS`
    CHAOS_CLOCK=FILE                 the wall clock is off by as many seconds as the file says, at any moment
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

_CRASH, _CLOCK = os.environ.get("CHAOS_CRASH", ""), os.environ.get("CHAOS_CLOCK", "")
_SCRIPT = b"EVALSHA"
_STEPS = {
    "begin": "begin_transaction",
    "produce": "produce",
    "offsets": "send_offsets_to_transaction",
    "commit": "commit_transaction",
    "init": "init_transactions",
}
POINTS = (
    "script-before",  # a commit is ready, Redis has not heard of it
    "script-sent",  # Redis may do it or not
    "script-answered",  # the state is there, nothing of it is out; a trim may be in it
    *(f"{step}-{when}" for step in _STEPS for when in ("before", "after")),
)


class Fuse:
    """Burns down at one point, a step each time the point is passed."""

    def __init__(self, order: str) -> None:
        self._point, _, count = order.partition(":")
        self._left = int(count)

    def pass_by(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def crash_in_kafka(fuse: Fuse) -> None:
    import confluent_kafka

    def stepping(step: str, method: str) -> Any:
        theirs = getattr(confluent_kafka.Producer, method)

        def ours(self: Any, *args: Any, **named: Any) -> Any:
            fuse.pass_by(f"{step}-before")
            answer = theirs(self, *args, **named)
            fuse.pass_by(f"{step}-after")
            return answer

        return ours

    steps = {method: stepping(step, method) for step, method in _STEPS.items()}
    ours: Any = type("Producer", (confluent_kafka.Producer,), steps)
    confluent_kafka.Producer = ours  # type: ignore[misc]


def crash_in_redis(fuse: Fuse) -> None:
    from redis.connection import AbstractConnection

    send: Any = AbstractConnection.send_packed_command
    read: Any = AbstractConnection.read_response
    under_way: set[int] = set()

    def sending(self: Any, command: Any, *args: Any, **named: Any) -> Any:
        is_script = any(_SCRIPT in piece for piece in ([command] if isinstance(command, bytes) else command))
        if is_script:
            fuse.pass_by("script-before")
        answer = send(self, command, *args, **named)
        if is_script:
            under_way.add(id(self))
            fuse.pass_by("script-sent")
        return answer

    def reading(self: Any, *args: Any, **named: Any) -> Any:
        answer = read(self, *args, **named)
        if id(self) in under_way:
            under_way.discard(id(self))
            fuse.pass_by("script-answered")
        return answer

    AbstractConnection.send_packed_command = sending  # type: ignore[method-assign]
    AbstractConnection.read_response = reading  # type: ignore[method-assign]


def shift_clock(file: Path) -> None:
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + float(file.read_text())
    time.time_ns = lambda: right_ns() + int(float(file.read_text()) * 1e9)


if _CRASH:
    burning = Fuse(_CRASH)
    crash_in_kafka(burning)
    crash_in_redis(burning)
if _CLOCK:
    shift_clock(Path(_CLOCK))
