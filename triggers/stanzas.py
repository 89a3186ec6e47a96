"""Which stanzas has a rule had, and by which of them did something begin?

What a rule has in hand for a user when its stanza changes goes on by the stanza it began with. So every stanza that was
in force is kept as a text with a number of its own, and what began by it holds that number (0: nothing is written).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import msgspec

from state.calendar import Duration
from triggers.trigger import Rule, RuleParams

KEPT_LIMIT = (
    8  # stanzas of a rule; of what began by an older one nobody knows any more, and it goes on by the newest
)
FINGERPRINT = 8


def text_of(rule: Rule, params: RuleParams) -> str:
    """All that can make a difference to what has begun; not whether the rule is on, as off is off at once."""
    stanza = msgspec.structs.replace(params, enabled=True)
    said = msgspec.json.encode((rule.version, stanza), enc_hook=int, order="deterministic")
    return said.decode()


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT]


class Stanzas:
    """`kept`: by "rule:number", the texts that the ledger has."""

    def __init__(self, kept: Mapping[str, str]) -> None:
        self._kept = kept

    @cached_property
    def _by_rule(self) -> dict[str, dict[int, str]]:
        found: dict[str, dict[int, str]] = {}
        for name, text in self._kept.items():
            rule, _, number = name.rpartition(":")
            found.setdefault(rule, {})[int(number)] = text
        return {rule: dict(sorted(texts.items())) for rule, texts in found.items()}

    def number(self, rule: Rule, text: str) -> int:
        """That of this stanza; 0 where none is kept, as in a test."""
        same = [number for number, each in self._of(rule).items() if each == text]
        return min(same, default=0)

    def retired(self, rule: Rule, text: str) -> dict[int, tuple[str, RuleParams]]:
        """By number, what was in force before and this version of the rule can go by: text and settings."""
        others = {number: each for number, each in self._of(rule).items() if each != text}
        read = [(number, each, _read(rule, each)) for number, each in others.items()]
        return {number: (each, params) for number, each, params in read if params is not None}

    def lacking(self, rules: Iterable[tuple[Rule, RuleParams]]) -> tuple[dict[str, str], list[str]]:
        """What must be kept before these may be in force, by "rule:number", and what makes room for it.

        Number 0 is what most users need write nothing for: once nothing can be read there, the newest stanza has it.
        """
        new: dict[str, str] = {}
        over: list[str] = []
        for rule, params in rules:
            text, kept = text_of(rule, params), self._of(rule)
            if kept.get(0) == text:
                continue
            if 0 not in kept or _read(rule, kept[0]) is None:
                new[f"{rule.name}:0"] = text
                over += [f"{rule.name}:0"] if 0 in kept else []
            elif text not in kept.values():
                new[f"{rule.name}:{max(kept) + 1}"] = text
                over += [
                    f"{rule.name}:{number}" for number in [*kept][1 : max(1, len(kept) + 2 - KEPT_LIMIT)]
                ]
        return new, over

    def _of(self, rule: Rule) -> dict[int, str]:
        return self._by_rule.get(rule.name, {})


NONE_KEPT = Stanzas({})


def _read(rule: Rule, text: str) -> RuleParams | None:
    """The settings in a text; None where another version of the rule has written it."""
    try:
        version, written = msgspec.json.decode(text)
        if version != rule.version:
            return None
        params: Any = msgspec.convert(written, rule.params, dec_hook=lambda _, value: Duration(value))
    except (msgspec.ValidationError, ValueError, TypeError):
        return None
    return params if text_of(rule, params) == text else None
