"""Of which Structs is what releases share made, and of which fields these? What a change of layout changes.

Shared is what one release writes and another may read: values in Redis, and letters.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

from flows.buyers import Head
from state import events
from state.calendar import HOUR
from state.calls import Calling
from state.items import Item
from state.ledger import Entry
from state.user import User

STORED = (User, Item, Calling, Head, Entry)
SHARED = (*STORED, *get_args(events.Letters))

OPENING = 1_790_000_000_000  # of the shop whose state is kept
NOW = OPENING + 6 * HOUR  # and until when it went on


def structs_in(kind: Any, known: dict[str, type[Struct]]) -> dict[str, type[Struct]]:
    """Every Struct that a stored value is made of, by name."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        if kind.__name__ not in known:
            known[kind.__name__] = kind
            for field in get_type_hints(kind).values():
                structs_in(field, known)
    else:
        for part in get_args(kind):
            structs_in(part, known)
    return known


def fields() -> dict[str, list[str]]:
    """By Struct, its fields and their types in order."""
    known: dict[str, type[Struct]] = {}
    for kind in SHARED:
        structs_in(kind, known)
    found = {}
    for name, kind in sorted(known.items()):
        hints = get_type_hints(kind)
        found[name] = [f"{field}: {_name(hints[field])}" for field in kind.__struct_fields__]
    return found


def _name(hint: Any) -> str:
    """Without modules: where a Struct lives may change."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, parts))}]"
    if origin in (Union, UnionType):
        return " | ".join(map(_name, parts))
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_name, parts))}]"
    if hint is Ellipsis:
        return "..."
    return "None" if hint is NoneType else str(hint.__name__)
