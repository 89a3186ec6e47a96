"""What has lately been decided about this user, and why? The last candidates, sent or not, each once.

A candidate that was deferred and then decided is one entry, and so is one that was sent and then taken back.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

DECISIONS_LIMIT = 10  # what was decided longest ago makes room
WHY_LENGTH = 160
RETRACT = "retract"

Name = tuple[str, int, int, str]
"""Rule, version, step, anchor: the candidate, under whichever id of a person it was made."""


class Decided(Struct, array_like=True, gc=False):
    """One candidate, due at `due`, and its latest verdict, given `at`.

    `verdict`: publish, suppress, defer or retract; `reason` (triggers.trigger.Reason) is empty when it was published.
    `why`: what the rule had to say for it, and of which SKU. `until`: how long it was deferred, -1 if it never was;
    `winner`: id of the trigger that was preferred. `cause`: the event with which it was decided, or `time`.
    """

    rule: str
    version: int
    step: int
    anchor: str
    due: int
    at: int
    verdict: str
    reason: str
    why: str
    channel: str
    until: int
    winner: str
    cause: str

    @property
    def name(self) -> Name:
        return self.rule, self.version, self.step, self.anchor


class History(Struct, array_like=True, gc=False):
    """In the order in which they were decided."""

    last: list[Decided] = []

    def note(self, new: Decided) -> None:
        before = next((known for known in self.last if known.name == new.name), None)
        if before is not None:
            self.last.remove(before)
            new = _after(before, new)
        self._bound([*self.last, new])

    def unite(self, other: History) -> None:
        """Two ids are one person: what was decided about either was, of the same candidate the latest word."""
        latest = {known.name: known for known in self.last}
        for theirs in other.last:
            latest[theirs.name] = max(theirs, latest.get(theirs.name, theirs), key=_time)
        self._bound([*latest.values()])

    def _bound(self, known: list[Decided]) -> None:
        self.last = sorted(known, key=_time)[-DECISIONS_LIMIT:]


def _after(before: Decided, new: Decided) -> Decided:
    """What was sent stays where it was when it is taken back, as the event that shows it wrong is older."""
    if new.verdict != RETRACT:
        return replace(new, until=max(before.until, new.until))
    return replace(before, verdict=RETRACT, reason=new.reason, cause=new.cause)


def _time(known: Decided) -> tuple[int, bool, Name, str]:
    return known.at, known.verdict == RETRACT, known.name, known.cause
