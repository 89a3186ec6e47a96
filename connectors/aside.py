"""How do we call what may never return? On a thread of its own, that can be left behind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future


class Aside:
    """One call at a time. After a call has overrun its time this object is of no use: make another.

    librdkafka's `send_offsets_to_transaction` waits for a group coordinator that was lost for as long as it takes,
    whatever time-out it is given (confluentinc/librdkafka#5456, #5511).
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], None], Future[None]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="aside", daemon=True).start()

    def begin(self, work: Callable[[], None]) -> Future[None]:
        """What comes of it raises what `work` raises."""
        done: Future[None] = Future()
        self._calls.put((work, done))
        return done

    def close(self) -> None:
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            work, done = call
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - it is the caller's
                done.set_exception(error)
            else:
                done.set_result(None)
            del call, work, done  # else what it raised stays, after the last call for ever
