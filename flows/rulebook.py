"""Which rules and policy are in force, and how do they change while the process runs?

Asked once a round, on the thread of the flow: everybody holds the one plan, which becomes another between two rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog
from msgspec import Struct

from config.changes import changes, refusals
from config.load import plan_of
from config.problem import ConfigError, Problem
from config.settings import Settings
from connectors import metrics
from flows.observe import show_rules
from state.ledger import Ledger
from state.redis_ledger import StoreUnavailable
from triggers.catalog import RULES
from triggers.plan import Plan
from triggers.stanzas import Stanzas

log = structlog.get_logger("rulebook")

_RETRY_SECONDS = 5.0  # where the file is not looked at, and the store did not answer

Look = tuple[int, int, int] | None
"""What tells one content of a file from another: when it was written, its size, which file it is; None: not there."""


class Written(Struct, frozen=True):
    """Where the settings come from: `read` gives them, or ConfigError; `path` is the file among it, if any.

    `asked`: has somebody asked to read them again since it was last called?
    """

    read: Callable[[], Settings]
    path: Path | None = None
    asked: Callable[[], bool] = lambda: False


class Rulebook:
    """`plan` is the one that everybody holds. Without `written` it never changes."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        written: Written | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._written = written
        self._monotonic = monotonic
        self._check_seconds = settings.engine.config_check / 1000
        self.plan = self._plan_of(settings)
        self._taken: Look = None  # what was written while we started is noticed at the first looks
        self._seen = self._look()
        self._looked_at = monotonic()
        self._waits = False
        self.refused: str | None = None
        metrics.CONFIG_VALID.set(1)
        show_rules(self.plan)

    def turn(self) -> None:
        """Between two rounds: is there something new to go by?"""
        if self._written is None:
            return
        if self._written.asked():
            log.info("the configuration is read again, as asked")
            self._waits, self._seen = True, self._look()
            self._looked_at = self._monotonic()
        elif self._is_time():
            self._waits = self._waits or self._has_changed()
        else:
            return
        if self._waits:
            self._read_again(self._written)

    def renew(self) -> None:
        """The store may have forgotten what was kept last: before anything is opened again, it is kept again."""
        self.plan.adopt(self._plan_of(self._settings))

    def _is_time(self) -> bool:
        seconds = self._check_seconds or (_RETRY_SECONDS if self._waits else float("inf"))
        now = self._monotonic()
        if now - self._looked_at < seconds:
            return False
        self._looked_at = now
        return True

    def _has_changed(self) -> bool:
        """Another content than the one taken, and it is still what it was a look ago: nobody is writing it."""
        before, self._seen = self._seen, self._look()
        return self._seen == before != self._taken

    def _look(self) -> Look:
        path = None if self._written is None else self._written.path
        try:
            found = None if path is None else path.stat()
        except OSError:
            return None
        return None if found is None else (found.st_mtime_ns, found.st_size, found.st_ino)

    def _read_again(self, written: Written) -> None:
        """All or nothing; where the store does not answer, later."""
        self._taken = self._seen
        try:
            settings = written.read()
            found = changes(self._settings, settings)
            problems = refusals(found)
        except ConfigError as error:
            self._refuse(error.problems)
            return
        if problems:
            self._refuse(problems)
            return
        if found:
            try:
                plan = self._plan_of(settings)
            except StoreUnavailable as error:
                log.warning("the rules cannot be changed now, trying again", why=str(error))
                return
            self.plan.adopt(plan)
            self._settings = settings
            show_rules(self.plan)
        self._waits, self.refused = False, None
        metrics.CONFIG_VALID.set(1)
        metrics.RELOADS.labels(result="ok" if found else "unchanged").inc()
        if found:
            log.info("rules and policy changed", changes=[*map(str, found)])

    def _refuse(self, problems: tuple[Problem, ...] | list[Problem]) -> None:
        self._waits = False
        count = f"{len(problems)} error{'s' if len(problems) > 1 else ''}"
        self.refused = f"the configuration was refused with {count}, the one before is in force"
        metrics.CONFIG_VALID.set(0)
        metrics.RELOADS.labels(result="refused").inc()
        log.error("the configuration was refused, nothing has changed", problems=[*map(str, problems)])

    def _plan_of(self, settings: Settings) -> Plan:
        """The stanzas are in the ledger before anything begins by them."""
        return plan_of(settings, enrolled(self._ledger, settings.rules))


def enrolled(ledger: Ledger, rules: Mapping[str, Any]) -> Stanzas:
    """All that the rules have had, those in force among them: another process may keep one of them first."""
    on = [(rule, rules[rule.name]) for rule in RULES if rules[rule.name].enabled]
    while True:
        stanzas = Stanzas(ledger.stanzas())
        new, over = stanzas.lacking(on)
        if not new:
            return stanzas
        metrics.LIMIT_HITS.labels(limit="stanzas").inc(len(over))
        ledger.keep_stanzas(new, over)
