"""Does what was written have the types of the settings? Every leaf is asked: every error is reported."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct

from config.layers import Branch, Leaf, Listing, Tree, look_up
from config.problem import Problem
from state.calendar import Duration

INVALID: Final = object()
"""Stands where a value was wrong; the problem has been noted."""

NO_SUCH_SETTING: Final = "no such setting"

_LISTED_KEYS_LIMIT = 12


def convert(kind: Any, tree: Tree, path: str, problems: list[Problem]) -> Any:
    """The value of type `kind`; INVALID, with a problem for each error, where there is none."""
    kind, optional = _optional(kind)
    if isinstance(tree, Leaf) and (tree.text is None or (optional and tree.text == "")):
        return None if optional else _wrong(tree, path, problems, kind)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _section(kind, tree, path, problems)
    if kind is Any:
        return plain(tree)
    if get_origin(kind) is dict:
        return _mapping(get_args(kind)[1], tree, path, problems)
    if get_origin(kind) in (tuple, list):
        return _sequence(kind, tree, path, problems)
    if not isinstance(tree, Leaf) or tree.text is None:
        return _wrong(tree, path, problems, kind)
    if kind is Duration:
        return _duration(tree, path, problems)
    try:
        value = msgspec.convert(tree.text, kind, strict=False)
    except msgspec.ValidationError:
        return _wrong(tree, path, problems, kind)
    if isinstance(value, float) and not math.isfinite(value):
        return _wrong(tree, path, problems, kind)
    return value


def plain(tree: Tree) -> Any:
    """What was written, as texts, lists and mappings."""
    if isinstance(tree, Leaf):
        return tree.text
    if isinstance(tree, Listing):
        return [plain(item) for item in tree.items]
    return {key: plain(entry) for key, entry in tree.entries.items()}


def paths_of(kind: Any, path: str = "") -> Iterator[str]:
    """Every dotted path that may be set in a section type."""
    for field in msgspec.structs.fields(kind):
        below = f"{path}.{field.name}" if path else field.name
        inner, _ = _optional(field.type)
        yield below
        if isinstance(inner, type) and issubclass(inner, Struct):
            yield from paths_of(inner, below)


def _section(kind: type[Struct], tree: Tree, path: str, problems: list[Problem]) -> Any:
    if isinstance(tree, Leaf) and tree.text == "":
        tree = Branch({}, tree.origin)  # a section whose every line is commented out
    if not isinstance(tree, Branch):
        return _wrong(tree, path, problems, kind)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for key, entry in tree.entries.items():
        below = f"{path}.{key}" if path else key
        if key in fields:
            values[key] = convert(fields[key].type, entry, below, problems)
        else:
            problems.append(Problem(below, NO_SUCH_SETTING, _did_you_mean(key, fields), entry.origin))
    for key, field in fields.items():
        if key not in values and field.default is NODEFAULT and field.default_factory is NODEFAULT:
            below = f"{path}.{key}" if path else key
            problems.append(Problem(below, "missing", f"it is {expected(field.type)}"))
            values[key] = INVALID
    flaws = [*kind.flaws(plain(tree))] if hasattr(kind, "flaws") else []
    problems.extend(_flaw(flaw, tree, path) for flaw in flaws)
    if flaws or INVALID in values.values():
        return INVALID
    try:
        return kind(**values)
    except ValueError as error:  # what a type's own __post_init__ has to say about its values together
        problems.append(Problem(path, str(error), "", tree.origin))
        return INVALID


def _flaw(flaw: Any, tree: Tree, path: str) -> Problem:
    """What a section's own type has found wrong with what is written below it, with the nearest place there is."""
    suggestion = flaw.suggestion or (_did_you_mean(flaw.written, flaw.known) if flaw.known else "")
    at = flaw.path.partition("[")[0]
    while at and look_up(tree, at) is None:
        at = at.rpartition(".")[0]
    found = look_up(tree, at) if at else tree
    return Problem(
        f"{path}.{flaw.path}", flaw.message, suggestion, tree.origin if found is None else found.origin
    )


def _mapping(kind: Any, tree: Tree, path: str, problems: list[Problem]) -> Any:
    if isinstance(tree, Leaf) and tree.text == "":
        return {}
    if not isinstance(tree, Branch):
        return _wrong(tree, path, problems, dict)
    values = {key: convert(kind, entry, f"{path}.{key}", problems) for key, entry in tree.entries.items()}
    return INVALID if INVALID in values.values() else values


def _sequence(kind: Any, tree: Tree, path: str, problems: list[Problem]) -> Any:
    if not isinstance(tree, Listing):
        return _wrong(tree, path, problems, kind)
    inner = get_args(kind)[0]
    values = [convert(inner, item, f"{path}[{index}]", problems) for index, item in enumerate(tree.items)]
    return INVALID if INVALID in values else get_origin(kind)(values)


def _duration(leaf: Leaf, path: str, problems: list[Problem]) -> Any:
    text = leaf.text or ""
    try:
        return Duration.parse(text)
    except ValueError:
        suggestion = "write a number and a unit, as 500ms, 30m, 1h, 30d or 8w"
        if text.strip().isdecimal():
            number = text.strip()
            suggestion = (
                f"a duration needs its unit: write {number}ms, {number}s, {number}m, {number}h or {number}d"
            )
        problems.append(Problem(path, f"{text!r} is not a duration", suggestion, leaf.origin))
        return INVALID


def _wrong(tree: Tree, path: str, problems: list[Problem], kind: Any) -> Any:
    suggestion = ""
    if isinstance(tree, Leaf):
        is_section = isinstance(kind, type) and issubclass(kind, Struct)
        found = "null" if tree.text is None else repr(tree.text)
        if is_section:
            suggestion = f"write its keys beneath it, as {path}.{msgspec.structs.fields(kind)[0].name}"
        elif get_origin(kind) in (tuple, list) and tree.text:
            suggestion = f"write [{tree.text}]"
        elif get_origin(kind) is Literal and tree.text:
            suggestion = _did_you_mean(tree.text, get_args(kind))
        elif kind is bool and tree.text:
            meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(tree.text.lower())
            suggestion = f"write {meant}" if meant else ""
    else:
        found = "a list" if isinstance(tree, Listing) else "a section"
    problems.append(Problem(path, f"{found} is not {expected(kind)}", suggestion, tree.origin))
    return INVALID


def expected(kind: Any) -> str:
    """What a type asks for, in an operator's words."""
    kind, optional = _optional(kind)
    words = _words(kind)
    return f"{words} or null" if optional else words


def _words(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        base, *metas = get_args(kind)
        bounds = [bound for meta in metas if isinstance(meta, Meta) for bound in _bounds(meta)]
        return " ".join([_words(base), " and ".join(bounds)]).strip()
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    if get_origin(kind) in (tuple, list):
        return f"a list of {_words(get_args(kind)[0]).removeprefix('a ')}s"
    if isinstance(kind, type) and issubclass(kind, Struct):
        return "a section"
    known = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        Duration: "a duration",
    }
    return known.get(
        kind, "a mapping of keys to values" if kind is dict or get_origin(kind) is dict else "a value"
    )


def _bounds(meta: Meta) -> Iterator[str]:
    signs = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most", "pattern": "matching"}
    for name, words in signs.items():
        bound = getattr(meta, name)
        if bound is not None:
            yield f"{words} {bound}"


def _optional(kind: Any) -> tuple[Any, bool]:
    """(the type without None, whether None is allowed)."""
    if get_origin(kind) in (Union, UnionType) and NoneType in get_args(kind):
        rest = tuple(arg for arg in get_args(kind) if arg is not NoneType)
        return (rest[0] if len(rest) == 1 else Union[rest]), True  # noqa: UP007 - built from a tuple
    return kind, False


def _did_you_mean(key: str, known: Any) -> str:
    names = [str(name) for name in known]
    close = difflib.get_close_matches(key, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"known here: {', '.join(names)}" if 0 < len(names) <= _LISTED_KEYS_LIMIT else ""
