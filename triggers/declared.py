"""What may an operator declare as a pattern, and what must the state follow to see it? See docs/patterns.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct
from msgspec.json import encode
from xxhash import xxh3_64_hexdigest

from state import events
from state.calendar import Duration
from state.patterns import TIMES_LIMIT, Followed, Following, Part
from triggers.conditions import all_of, fields_of, fields_of_lines, read

By = Literal["user", "sku", "cart", "order"]
ENDS_OF_CART: tuple[type, ...] = (events.CartItemRemoved, events.CartCleared, events.OrderPlaced)
KEY_FIELDS = {"sku": "sku", "order": "order_id"}

# Of a customer, and such as a customer goes on after.
EVENTS: Mapping[str, type] = {
    str(kind.__struct_config__.tag): kind
    for topic in ("clickstream", "orders", "customers", "engagement")
    for kind in get_args(events.TOPICS[topic])
    if kind not in (events.IdentityLinked, events.EraseRequested)
}


class Opening(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A: it must happen `times` times, all of them `within` (None: no limit)."""

    event: str
    times: Annotated[int, Meta(ge=1, le=TIMES_LIMIT)] = 1
    within: Duration | None = None
    where: dict[str, Any] = {}


class Answering(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """B."""

    event: str
    where: dict[str, Any] = {}


class Declared(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pattern; what is not written of `offer` and `channels` is as in the stanza."""

    after: Opening
    then: Answering | None = None
    then_not: Answering | None = None
    within: Duration
    by: By
    offer: str | None = None
    channels: tuple[str, ...] = ()

    @property
    def answer(self) -> Answering:
        answer = self.then_not or self.then
        assert answer is not None, "a pattern without then or then_not is refused at the start"
        return answer


def following(patterns: Mapping[str, Declared | None]) -> Following:
    """What the fold must look at, by kind of event."""
    parts: dict[type, list[Part]] = {}
    by_key = {}
    for name, declared in patterns.items():
        if declared is None:
            continue
        of = followed(name, declared)
        by_key[of.key] = of
        opening, answering = EVENTS[declared.after.event], EVENTS[declared.answer.event]
        ends = ENDS_OF_CART if of.by == "cart" else ()
        for kind in dict.fromkeys((opening, answering, *ends)):
            opens = touched(kind, declared.after.where, declared.by) if kind is opening else None
            answers = touched(kind, declared.answer.where, declared.by) if kind is answering else None
            parts.setdefault(kind, []).append(Part(of, opens, answers, kind in ends))
    return Following({kind: tuple(several) for kind, several in parts.items()}, by_key)


def followed(name: str, declared: Declared) -> Followed:
    after, answer = declared.after, declared.answer
    negated = declared.then_not is not None
    span = None if after.within is None else int(after.within)
    meaning = (
        *(after.event, after.times, span, read(EVENTS[after.event], after.where)),
        *(negated, answer.event, read(EVENTS[answer.event], answer.where)),
        *(int(declared.within), declared.by),
    )
    return Followed(
        key=f"{name}#{xxh3_64_hexdigest(encode(meaning))[:8]}",
        name=name,
        by=declared.by,
        times=after.times,
        span=span,
        within=int(declared.within),
        negated=negated,
    )


def touched(kind: type, where: Mapping[str, Any], by: str) -> Callable[[Any], tuple[str, ...]]:
    """The correlation keys of an event that fits `where`; none if it does not."""
    conditions = read(kind, where)
    fits = all_of([each for each in conditions if each.field in fields_of(kind)])
    line_fits = all_of([each for each in conditions if each.field not in fields_of(kind)])
    key_field = KEY_FIELDS.get(by)
    by_lines = key_field is not None and key_field not in fields_of(kind)

    def keys(event: Any) -> tuple[str, ...]:
        if fits is not None and not fits(event):
            return ()
        if line_fits is None and not by_lines:
            return ("",) if key_field is None else (getattr(event, key_field),)
        skus = {line.sku: None for line in event.lines or () if line_fits is None or line_fits(line)}
        if not skus or by_lines:
            return tuple(skus)
        return ("",) if key_field is None else (getattr(event, key_field),)

    return keys


def has_key(kind: type, by: str) -> bool:
    """Does an event of this kind say what it would be correlated by?"""
    return by not in KEY_FIELDS or KEY_FIELDS[by] in {**fields_of_lines(kind), **fields_of(kind)}


def has_lines(declared: Declared) -> bool:
    """May one A open several matches?"""
    return declared.by == "sku" and "sku" not in fields_of(EVENTS[declared.after.event])
