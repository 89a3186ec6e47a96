"""How is docs/events.md made? From the types: `python -m connectors.events_doc > docs/events.md`."""

from __future__ import annotations

import sys
from typing import Any, get_args

import msgspec
from msgspec import inspect

from connectors.codec import RejectReason
from state.events import TOPICS, Event, Line, UserEvent
from state.values import MAX_ID_LENGTH, MAX_MONEY

INTERNAL_TOPICS = ("letters",)

INTRODUCTION = """\
# Events in

Made from `state/events.py` by `python -m connectors.events_doc > docs/events.md`.

A record is one event: a JSON object in UTF-8 or a MessagePack map, told apart by the first byte. The Kafka
key is the user id (`user_id`, else `anonymous_id`) in UTF-8, in `inventory` the SKU; the partitioner is
murmur2 (librdkafka: `murmur2_random`). Unknown fields are ignored. The same `event_id` sent again on the
same topic changes nothing.

- **time**: epoch milliseconds, 1970 to 2200, or RFC 3339 text with a zone, as `2026-09-21T14:13:20Z`.
- **id**: text of 1 to 128 characters.
- **money**, as `price`, `total`, `amount`: an integer in minor units; `currency` may name
  the one configured currency, and no other.
- A field that is absent and one that is `null` mean the same: not known.
"""

DEAD_LETTERS = """\
## What is no event

A record that cannot be taken goes to the dead-letter topic, once and with its bytes untouched (with
`privacy.pseudonymise` without them, as [security.md](security.md) tells), with the headers
`__connect.errors.*` and in `beckon.reason` one of:

"""


def events_markdown() -> str:
    parts = [INTRODUCTION, "## Fields of all events\n", _table(("field", "type", "needed"), _common_rows())]
    for topic, union in TOPICS.items():
        if topic not in INTERNAL_TOPICS:
            parts += [f"## Topic `{topic}`\n", _table(("`type`", "needs", "may have"), _rows(union))]
    parts += ["## A line of an order\n", _table(("field", "type", "needed"), _field_rows(Line))]
    return "\n".join(parts) + "\n" + DEAD_LETTERS + ", ".join(f"`{r}`" for r in RejectReason) + ".\n"


def _common_rows() -> list[tuple[str, ...]]:
    rows = _field_rows(UserEvent)
    users = {"user_id", "anonymous_id"}
    return [(name, kind, "one of the two" if name.strip("`") in users else need) for name, kind, need in rows]


def _field_rows(struct: Any) -> list[tuple[str, ...]]:
    fields = msgspec.structs.fields(struct)
    return [(f"`{f.name}`", _in_words(f.type), "yes" if f.required else "") for f in fields]


def _rows(union: object) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for kind in get_args(union) or (union,):
        base = UserEvent if issubclass(kind, UserEvent) else Event
        own = [f for f in msgspec.structs.fields(kind) if f.name not in base.__struct_fields__]
        needed, optional = (
            "; ".join(f"`{f.name}` {_in_words(f.type)}" for f in own if f.required is required)
            for required in (True, False)
        )
        rows.append((f"`{kind.__struct_config__.tag}`", needed, optional))
    return rows


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _in_words(annotation: Any) -> str:
    return _of(inspect.type_info(annotation))


def _of(kind: inspect.Type) -> str:
    match kind:
        case inspect.Metadata(type=inner):
            return _of(inner)
        case inspect.UnionType(types=types):
            known = [t for t in types if not isinstance(t, inspect.NoneType)]
            is_time = any(isinstance(t, inspect.DateTimeType) for t in known)
            return "time" if is_time else " or ".join(map(_of, known))
        case inspect.StrType(pattern=str(pattern)):
            return f"text `{pattern}`"
        case inspect.StrType(min_length=1, max_length=most) if most == MAX_ID_LENGTH:
            return "id"
        case inspect.StrType(min_length=None, max_length=most):
            return f"text of up to {most} characters"
        case inspect.IntType(gt=above, ge=least, le=most):
            least = least if above is None else above + 1
            return f"integer from {least}" if most == MAX_MONEY else f"integer {least} to {most}"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType(values=values):
            return " or ".join(f"`{value}`" for value in values)
        case inspect.VarTupleType(item_type=item, min_length=least, max_length=most):
            what = "lines" if isinstance(item, inspect.StructType) else f"times {_of(item)}"
            return f"{least or 0} to {most} {what}"
        case _:
            raise TypeError(f"no words yet for {kind}")


if __name__ == "__main__":
    sys.stdout.write(events_markdown())
