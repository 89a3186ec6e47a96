"""What is wrong with a declared pattern, where, and what would be right? Everything at once.

Looks at what was written, texts and sections, as a pattern with one flaw cannot be made and has perhaps another. What
types can say (a number, a duration, an unknown key) is not repeated here: config/convert.py says it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from triggers.conditions import BOUNDS, WORDS, Sort, fields_of, fields_of_lines, read_value
from triggers.declared import EVENTS, KEY_FIELDS, has_key

_NAME = re.compile(r"^[a-z][a-z0-9_-]{0,31}\Z")
_SORTS: Mapping[Sort, str] = {
    "text": "a text",
    "number": "a whole number",
    "truth": "true or false",
    "list": "a list",
}
_ENDS_CART = ("cart_cleared", "order_placed")


class Flaw(NamedTuple):
    """`path` below the patterns. Where a word of a closed list was meant: `written` and the words `known`."""

    path: str
    message: str
    suggestion: str = ""
    written: str = ""
    known: Sequence[str] = ()


def flaws_of(patterns: Any) -> Iterator[Flaw]:
    for name, pattern in patterns.items() if isinstance(patterns, Mapping) else ():
        if not _NAME.match(name):
            way_out = "lower-case letters, digits, _ and -, a letter first; 32 at most"
            yield Flaw(name, f"{name!r} is not a name for a pattern", way_out)
        if isinstance(pattern, Mapping):
            for flaw in _flaws(pattern):
                yield flaw._replace(path=f"{name}.{flaw.path}" if flaw.path else name)


def _flaws(pattern: Mapping[str, Any]) -> Iterator[Flaw]:
    answers = [key for key in ("then", "then_not") if pattern.get(key) not in (None, "")]
    if not answers:
        yield Flaw("", "has neither then nor then_not", "say which event must follow (then), or must not")
    if len(answers) > 1:
        yield Flaw(
            "then", "stands beside then_not", "keep one of them, and make two patterns if you mean both"
        )
    for role in ("after", *answers):
        if isinstance(pattern.get(role), Mapping):
            for flaw in _step_flaws(pattern[role], str(pattern.get("by"))):
                yield flaw._replace(path=f"{role}.{flaw.path}")
    after = pattern.get("after")
    event = after.get("event") if isinstance(after, Mapping) else None
    if pattern.get("by") == "cart" and event in _ENDS_CART:
        yield Flaw("by", f"with {event} the cart ends, so nothing can come after it there", "write by: user")


def _step_flaws(step: Mapping[str, Any], by: str) -> Iterator[Flaw]:
    event = step.get("event")
    if not isinstance(event, str):
        return
    kind = EVENTS.get(event)
    if kind is None:
        yield Flaw("event", f"there is no event {event!r} of a customer", "", event, tuple(EVENTS))
        return
    if not has_key(kind, by):
        ways = " or ".join(f"by: {way}" for way in ("user", "cart", *KEY_FIELDS) if has_key(kind, way))
        yield Flaw("event", f"{event} has no {KEY_FIELDS[by]}, and the pattern is by {by}", f"write {ways}")
    where = step.get("where")
    sorts = {**fields_of(kind), **fields_of_lines(kind)}
    for field, written in where.items() if isinstance(where, Mapping) else ():
        path = f"where.{field}"
        if field not in sorts:
            yield Flaw(path, f"{event} has no field {field!r}", "", field, tuple(sorts))
        else:
            yield from _condition_flaws(path, field, sorts[field], written)


def _condition_flaws(path: str, field: str, sort: Sort, written: Any) -> Iterator[Flaw]:
    if isinstance(written, Mapping):
        if not written:
            yield Flaw(path, "says nothing", f"write one of {', '.join(WORDS)} beneath it")
        for word, value in written.items():
            if word in BOUNDS and sort != "number":
                way_out = f"write {field}: {value}, a list of such, or {field}: {{exists: true}}"
                message = f"{field} is {_SORTS[sort]}, {word} compares numbers"
                yield Flaw(f"{path}.{word}", message, "write {exists: true}" if sort == "list" else way_out)
            elif word in WORDS:
                yield from _value_flaws(f"{path}.{word}", "truth" if word == "exists" else sort, value)
            else:
                yield Flaw(f"{path}.{word}", "no such condition", "", word, WORDS)
    elif sort == "list":
        yield Flaw(path, f"{field} is a list, which is not compared", f"write {field}: {{exists: true}}")
    elif isinstance(written, list | tuple):
        if not written:
            yield Flaw(path, "an empty list: nothing is one of it", "write what it may be")
        for number, value in enumerate(written):
            yield from _value_flaws(f"{path}[{number}]", sort, value)
    else:
        yield from _value_flaws(path, sort, written)


def _value_flaws(path: str, sort: Sort, written: Any) -> Iterator[Flaw]:
    try:
        read_value(sort, written)
    except (ValueError, KeyError):
        found = {dict: "a section", list: "a list", tuple: "a list", type(None): "null"}.get(type(written))
        way_out = "to ask whether there is one, write {exists: false}" if written is None else ""
        yield Flaw(path, f"{found or repr(written)} is not {_SORTS[sort]}", way_out)
