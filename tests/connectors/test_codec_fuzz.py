"""Is there any input that makes the codec raise, lose a record, or change a valid event?"""

from __future__ import annotations

from typing import Any, get_args

import msgpack
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from connectors.codec import DETAIL_LENGTH, Decoder, Rejected
from state import events, letters, values
from state.identity import Walk
from state.letters import PRICES_LIMIT
from state.population import Totals
from state.scores import Cuts

DECODERS = {
    role: Decoder(role, union, max_bytes=4_096, currency="CNY", ahead_limit_ms=300_000)
    for role, union in events.TOPICS.items()
}
KINDS = {kind: role for role, union in events.TOPICS.items() for kind in get_args(union) or (union,)}
TAGS = [kind.__struct_config__.tag for kind in KINDS]
FIELDS = sorted({name for kind in KINDS for name in kind.__struct_fields__})

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.sampled_from(["2026-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "CNY", "02-29", "low", *TAGS])
)
trees = st.recursive(scalars, lambda t: st.lists(t) | st.dictionaries(st.text(), t), max_leaves=20)
lookalikes = st.dictionaries(st.sampled_from(["type", *FIELDS]), trees | scalars).flatmap(
    lambda fields: st.sampled_from(TAGS).map(lambda tag: {"type": tag, **fields})
)
records = (
    st.none()
    | st.binary()
    | st.text().map(str.encode)
    | (trees | lookalikes).map(msgspec.json.encode)
    | (trees | lookalikes).map(msgspec.msgpack.encode)
    | st.binary(max_size=64).map(lambda tail: b'{"type":"searched","ts":' + tail)
    | st.binary(max_size=64).map(lambda tail: b"\x82\xa4type\xa8searched\xa2ts" + tail)
)


@given(st.sampled_from(sorted(DECODERS)), st.lists(records, max_size=12), st.none() | st.integers(0, 2**43))
def test_each_record_has_one_answer(role: str, values: list[bytes | None], now: int | None) -> None:
    answers = DECODERS[role].decode(values, now)
    assert len(answers) == len(values)
    for value, answer in zip(values, answers, strict=True):
        assert answer == DECODERS[role].decode([value], now)[0], "the neighbours changed the answer"
        if isinstance(answer, Rejected):
            assert len(answer.detail) <= DETAIL_LENGTH
        else:
            assert isinstance(answer, events.Event)
            assert type(answer.ts) is int


@st.composite
def valid_events(draw: st.DrawFn) -> events.Event:
    kind: Any = draw(st.sampled_from(list(KINDS)))
    given_fields: dict[str, Any] = {"event_id": draw(ids), "ts": draw(times)}
    for field in msgspec.structs.fields(kind):
        if field.name not in given_fields and (field.required or draw(st.booleans())):
            given_fields[field.name] = draw(values_of(field.name))
    if issubclass(kind, events.UserEvent):
        given_fields.setdefault("user_id", draw(ids))
        given_fields["user_id"] = given_fields["user_id"] or "u"
    event: events.Event = kind(**given_fields)
    return event


ids = st.text(min_size=1, max_size=128)
times = st.integers(0, values.LAST_TS)
lines = st.lists(
    st.builds(
        events.Line,
        sku=ids,
        quantity=st.integers(1, 1_000_000),
        price=st.integers(0, values.MAX_MONEY),
        category=st.none() | ids,
    ),
    min_size=1,
    max_size=3,
).map(tuple)
buckets = st.dictionaries(st.integers(-1, 10_000), st.integers(1, 1_000_000), max_size=5)
points = st.floats(0, 1e9)
NAMED: dict[str, st.SearchStrategy[Any]] = {
    "lines": lines,
    "currency": st.just("CNY"),
    "granted": st.booleans(),
    "rating": st.integers(0, 5),
    "birthday": st.sampled_from(["02-29", "1990-12-31"]),
    "child_birthdays": st.lists(st.just("2020-01-01"), max_size=10).map(tuple),
    "preferred_channels": st.lists(ids, max_size=10).map(tuple),
    "edge": st.sampled_from(["low", "back"]),
    "prices": st.lists(st.tuples(times, st.integers(0, values.MAX_MONEY)), max_size=PRICES_LIMIT).map(tuple),
    "state": st.binary(max_size=64),
    "late": st.booleans(),
    "totals": st.builds(Totals, **dict.fromkeys("rfm", buckets)),
    "cuts": st.none() | st.builds(Cuts, version=ids, **dict.fromkeys("rfm", st.tuples(*[points] * 4))),
    "walk": st.builds(Walk, hops=st.integers(0, 99), place=st.none() | st.tuples(ids, st.integers(0, 99))),
    # Of what letters carry, one of each origin: a shop's event, and words between shards.
    "content": st.builds(events.Searched, event_id=ids, ts=times, query=ids, user_id=ids)
    | st.builds(letters.UserMoved, event_id=ids, ts=times, from_id=ids, state=st.binary(max_size=64))
    | st.builds(letters.ReferralPaid, event_id=ids, ts=times, referee_id=ids)
    | st.builds(letters.ReferralUndone, event_id=ids, ts=times, referee_id=ids),
}
NAMED["about"] = st.builds(
    events.WeatherAlert, event_id=ids, ts=times, region=ids, condition=ids, starts_at=times, ends_at=times
)
COUNTS = {"quantity", "points"}
AMOUNTS = {"price", "total", "amount", "available", "likes", "shard"}
TIMES = {"expires_at", "starts_at", "ends_at", "since"}


def values_of(name: str) -> st.SearchStrategy[Any]:
    if name == "stage":
        return st.sampled_from(["warmup", "burst", "encore"])
    if name in COUNTS:
        return st.integers(1, 1_000_000)
    if name in AMOUNTS:
        return st.integers(0, values.MAX_MONEY)
    if name in TIMES:
        return times
    return NAMED.get(name, ids)


@given(st.lists(valid_events(), max_size=6))
def test_a_valid_event_survives_both_formats(originals: list[events.Event]) -> None:
    for event in originals:
        decoder = DECODERS[KINDS[type(event)]]
        if len(msgspec.json.encode(event)) > 4_096:
            continue
        assert decoder.decode([msgspec.json.encode(event)], None) == [event]
        packed = msgpack.packb(msgspec.to_builtins(event, builtin_types=(bytes,)))
        assert decoder.decode([packed, packed], None) == [event, event]
