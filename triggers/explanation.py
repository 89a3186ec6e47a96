"""What is told of why? The answer of triggers/explain.py: sentences for people, and beside them the same for programs.

Times are RFC 3339 in UTC, in sentences to the minute or second.
"""

from __future__ import annotations

from msgspec import Struct


class Verdict(Struct, frozen=True, kw_only=True):
    """What was decided, or would be (`foreseen`); `text` is a sentence, the rest as in docs/state.md, Decided."""

    text: str
    at: str
    due: str
    verdict: str
    reason: str | None
    channel: str | None
    winner: str | None
    until: str | None
    step: int
    anchor: str
    version: int
    cause: str
    foreseen: bool


class Told(Struct, frozen=True, kw_only=True):
    """A condition of the rule. `at`: when time alone makes it so, null where it is so or needs an event."""

    text: str
    met: bool
    at: str | None


class Refusal(Struct, frozen=True, kw_only=True):
    """A gate that lets no message of this rule pass now; `until`: null where that needs an event."""

    gate: str
    text: str
    until: str | None


class OfRule(Struct, frozen=True, kw_only=True):
    """`earlier`: candidates known to have been made, of which the decision is not remembered any more.

    `waiting`: what was put off and is still to be decided; `asked_at`: when the rule asks to be asked again.
    """

    rule: str
    version: int
    question: str
    enabled: bool
    decisions: list[Verdict]
    earlier: list[str]
    waiting: list[str]
    asked_at: str | None
    conditions: list[Told]
    foreseen: list[Verdict]
    refusals: list[Refusal]


class Explanation(Struct, frozen=True, kw_only=True):
    """`as_of`: how far the service has come; `at`: the moment looked at. `silent`, `off`: rules without a word."""

    user_id: str
    as_of: str
    at: str
    zone: str
    notes: list[str]
    rules: list[OfRule]
    silent: list[str]
    off: list[str]
