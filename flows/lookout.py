"""Are the topics still those we began with? Looked at beside the flow, now and then; it is stopped if they are not.

A partition added while we run would be read by nobody, and a topic created again would be read from the middle.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import structlog

from config.settings import Settings
from connectors.log import LogError
from flows.startup import NotAsBefore, misfits

_EVERY_SECONDS = 10.0
_IDS_EVERY = 6  # looks: to ask for the ids of topics confluent-kafka 2.16 takes one object a topic, for ever
log = structlog.get_logger("lookout")


class Lookout:
    """`recorded`: what the store knows of the first start. `stop` is called once, when something has changed."""

    def __init__(self, settings: Settings, recorded: Mapping[str, str], stop: Callable[[], None]) -> None:
        self._settings = settings
        self._recorded = recorded
        self._stop = stop
        self._reasons: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="lookout", daemon=True)

    def __enter__(self) -> Self:
        if self._settings.source.kind == "kafka":
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()

    def check(self) -> None:
        """After the flow has ended: raise NotAsBefore if that was why."""
        if self._reasons:
            raise NotAsBefore(self._reasons, "go on")

    def _look(self) -> None:
        for look in itertools.count(1):
            if self._over.wait(_EVERY_SECONDS):
                return
            try:
                self._reasons = misfits(self._settings, self._recorded, with_ids=look % _IDS_EVERY == 0)
            except LogError:
                continue  # the flow says that nobody answers
            if self._reasons:
                log.error("the topics have changed, stopping", reasons=len(self._reasons))
                self._stop()
                return
