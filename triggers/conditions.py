"""Does an event fulfil what an operator has written in `where`? Read once, at the start; then plain comparisons."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from state import events

Sort = Literal["text", "number", "truth", "list"]
Test = Callable[[Any], bool]

BOUNDS: dict[str, Callable[[int, int], bool]] = {
    "at_least": operator.ge,
    "at_most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
}
WORDS = (*BOUNDS, "exists")
_NOT_ASKED_ABOUT = frozenset(("event_id", "ts", "traceparent", "user_id", "anonymous_id", "lines"))


class Condition(NamedTuple):
    """`word` is one of WORDS, or `in`."""

    field: str
    word: str
    value: Any


@cache
def fields_of(kind: type) -> Mapping[str, Sort]:
    """What may be asked of an event of this kind itself, and what sort of thing it is."""
    return {
        name: sort_of(annotation)
        for name, annotation in get_type_hints(kind, include_extras=True).items()
        if name in kind.__struct_fields__ and name not in _NOT_ASKED_ABOUT  # type: ignore[attr-defined]
    }


@cache
def fields_of_lines(kind: type) -> Mapping[str, Sort]:
    """What may be asked of its lines, if it has any and does not say the same itself."""
    if "lines" not in kind.__struct_fields__:  # type: ignore[attr-defined]
        return {}
    return {name: sort for name, sort in fields_of(events.Line).items() if name not in fields_of(kind)}


def sort_of(annotation: Any) -> Sort:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        sorts = [sort_of(arg) for arg in get_args(annotation) if arg is not NoneType]
        return "number" if "number" in sorts else sorts[0]  # a time of an event is a number by now
    if annotation is bool:
        return "truth"
    if annotation is int:
        return "number"
    return "list" if get_origin(annotation) is tuple else "text"


def read_value(sort: Sort, written: Any) -> Any:
    """Raise ValueError where a text is not of this sort."""
    if isinstance(written, Mapping | list | tuple) or written is None:
        raise ValueError("not a single value")
    text = str(written).strip()
    if sort == "number":
        return int(text)
    if sort == "truth":
        return {"true": True, "false": False}[text.lower()]
    return str(written)


def read(kind: type, where: Mapping[str, Any]) -> list[Condition]:
    """Conditions without flaws (triggers/pattern_flaws.py) in one form, however they are written."""
    sorts = {**fields_of_lines(kind), **fields_of(kind)}
    found = []
    for field, written in where.items():
        if isinstance(written, Mapping):
            found += [
                Condition(field, word, read_value("truth" if word == "exists" else sorts[field], value))
                for word, value in written.items()
            ]
        else:
            several = written if isinstance(written, list | tuple) else [written]
            values = {read_value(sorts[field], value) for value in several}
            found.append(Condition(field, "in", sorted(values)))
    return sorted(found, key=lambda condition: condition[:2])


def all_of(conditions: Sequence[Condition]) -> Callable[[Any], bool] | None:
    """One question for all conditions on an event or a line; None if there are none."""
    tests = [(condition.field, _test(condition)) for condition in conditions]
    if not tests:
        return None

    def fits(asked: Any) -> bool:
        for field, test in tests:  # noqa: SIM110 # a generator costs more than what it asks
            if not test(getattr(asked, field)):
                return False
        return True

    return fits


def _test(condition: Condition) -> Test:
    """What an event does not say fulfils nothing but `exists: false`."""
    word, value = condition.word, condition.value
    if word == "in":
        values = frozenset(value)
        return values.__contains__
    if word == "exists":
        return lambda said: (said is not None) is value
    compare = BOUNDS[word]
    return lambda said: said is not None and compare(said, value)
