"""What is beckon saying right now? A live table of triggers on a terminal, else one plain line a trigger."""

from __future__ import annotations

import sys
from collections import Counter
from types import TracebackType
from typing import Self, assert_never

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from state.calendar import iso
from triggers.trigger import Decision, Defer, Publish, Retract, Suppress

_ROWS_LIMIT = 15
_LINES_AROUND = 12  # headings and frames of both tables, and the lines before them
_REFRESHES_PER_SECOND = 4


class Tally:
    """How many decisions of each kind there were; also what the end's summary is made of."""

    def __init__(self) -> None:
        self.published: Counter[str] = Counter()
        self.suppressed: Counter[tuple[str, str]] = Counter()
        self.deferred: Counter[str] = Counter()
        self.retracted: Counter[str] = Counter()

    def note(self, decision: Decision) -> None:
        rule, outcome = decision.candidate.rule, decision.outcome
        match outcome:
            case Publish():
                self.published[rule] += 1
            case Suppress():
                self.suppressed[rule, outcome.reason] += 1
            case Defer():
                self.deferred[rule] += 1
            case Retract():
                self.retracted[rule] += 1
            case _:
                assert_never(outcome)

    def reasons(self) -> Counter[str]:
        """Suppressed candidates by reason, over all rules."""
        found: Counter[str] = Counter()
        for (_, reason), count in self.suppressed.copy().items():
            found[reason] += count
        return found

    def rules(self) -> list[tuple[str, int, int, int]]:
        """(rule, published, suppressed, deferred), the most published first."""
        published, deferred = self.published.copy(), self.deferred.copy()
        suppressed: Counter[str] = Counter()
        for (rule, _), count in self.suppressed.copy().items():
            suppressed[rule] += count
        names = sorted({*published, *suppressed, *deferred}, key=lambda rule: (-published[rule], rule))
        return [(rule, published[rule], suppressed[rule], deferred[rule]) for rule in names]


class Display:
    """Give every decision to `show`, from one thread; what is seen is refreshed by another.

    `console` None: nothing is shown, decisions are only counted.
    """

    def __init__(self, console: Console | None) -> None:
        self.tally = Tally()
        self._console = console
        self._rows: tuple[Decision, ...] = ()  # replaced, never changed: another thread draws it
        self._live: Live | None = None
        if console is not None and console.is_terminal:
            self._live = Live(
                get_renderable=self._draw, console=console, refresh_per_second=_REFRESHES_PER_SECOND
            )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, decision: Decision) -> None:
        self.tally.note(decision)
        if self._console is None or not isinstance(decision.outcome, Publish):
            return
        if self._live is not None:
            self._rows = (decision, *self._rows[: _ROWS_LIMIT - 1])
        else:
            print(line_of(decision), file=self._console.file, flush=True)

    def _draw(self) -> RenderableType:
        rules = self.tally.rules()
        height = _ROWS_LIMIT if self._console is None else self._console.height - len(rules) - _LINES_AROUND
        latest = Table(
            title="triggers, the newest first", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
        )
        latest.expand = True
        for name in ("time (UTC)", "rule", "step", "user", "channel", "why"):
            # What is too long for the terminal is cut off the reason, not off who and what.
            latest.add_column(name, no_wrap=True, overflow="ellipsis", ratio=1 if name == "why" else None)
        for decision in self._rows[: max(3, height)]:
            at, *rest = _cells(decision)
            latest.add_row(at[5:16].replace("T", " "), *map(Text, rest))
        counts = Table(title="since the start", title_justify="left", box=box.SIMPLE_HEAD)
        for name in ("rule", "published", "suppressed", "deferred"):
            counts.add_column(name, justify="left" if name == "rule" else "right")
        for rule, *numbers in rules:
            counts.add_row(rule, *map(str, numbers))
        return Group(latest, counts, Text("Ctrl-C ends it in order", style="dim"))


def line_of(decision: Decision) -> str:
    """One published trigger as a line of text."""
    at, rule, step, user, channel, why = _cells(decision)
    return f"{at} {rule} step {step} to {user} on {channel}: {why}"


def console_for(*, shown: bool | None, is_demo: bool) -> Console | None:
    """Where triggers are shown. Unasked: on a terminal, and of the demo's made-up people; a real shop's user
    ids do not belong into the log of a service.
    """
    console = Console(file=sys.stdout)
    wanted = console.is_terminal or is_demo if shown is None else shown
    return console if wanted else None


def _cells(decision: Decision) -> tuple[str, str, str, str, str, str]:
    candidate, outcome = decision.candidate, decision.outcome
    channel = (outcome.channel if isinstance(outcome, Publish) else None) or "-"
    why = candidate.reason + (f" ({', '.join(candidate.skus[:3])})" if candidate.skus else "")
    cells = (iso(candidate.at), candidate.rule, str(candidate.step), candidate.user_id, channel, why)
    at, rule, step, user, channel, why = (
        "".join(c if c.isprintable() else "?" for c in cell) for cell in cells
    )
    return at, rule, step, user, channel, why
