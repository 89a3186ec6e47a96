"""Does a pseudonym stand for its id alone, on the same partition, and can nobody without the key make one?"""

from __future__ import annotations

import re
from typing import Any, get_args

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from connectors.codec import Decoder, Rejected
from connectors.murmur2 import murmur2, partition, places_of
from connectors.pseudonyms import HEARD, LENGTH, PREFIX, PseudonymisingDecoder, Pseudonyms, people_in
from state.events import TOPICS, UserEvent
from state.values import Id, PersonId

KEY, OTHER = "k" * 32, "l" * 32
TS = 1_790_000_000_000
LIMITS: dict[str, Any] = {"max_bytes": 1 << 18, "currency": "CNY", "ahead_limit_ms": 0}
FROM_OUTSIDE = {role: union for role, union in TOPICS.items() if role != "letters"}

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
counts = st.integers(1, 300)


# the pseudonym of an id


@given(ids, counts)
def test_it_lies_on_the_partition_of_its_id(person: str, partitions: int) -> None:
    name = Pseudonyms(KEY, partitions).of(person)

    assert partition(name.encode(), partitions) == partition(person.encode(), partitions)
    assert re.fullmatch(r"ps_[0-9a-f]{29}[a-z2-7]{4}", name)


@given(
    st.binary(max_size=40).map(lambda data: data[: len(data) & ~3]),
    st.lists(st.binary(min_size=4, max_size=4)),
)
def test_a_hash_goes_on_where_the_stem_ended(stem: bytes, suffixes: list[bytes]) -> None:
    found = list(places_of(stem, suffixes, 1 << 31))

    assert found == [murmur2(stem + suffix) & 0x7FFFFFFF for suffix in suffixes]


@pytest.mark.parametrize(
    ("partitions", "name"),
    [
        (1, "ps_ce919f50d8af7039450ab4c511e54aaaa"),
        (8, "ps_ce919f50d8af7039450ab4c50e0beaaag"),
        (64, "ps_ce919f50d8af7039450ab4c5239aeaabf"),
    ],
)
def test_it_is_this_one_in_every_release(partitions: int, name: str) -> None:
    """Else everybody would be two people after an upgrade."""
    assert Pseudonyms(KEY, partitions).of("user-1") == name


@given(st.lists(ids, unique=True, min_size=2, max_size=20), counts)
def test_no_two_are_the_same_and_another_key_gives_others(people: list[str], partitions: int) -> None:
    ours, others = Pseudonyms(KEY, partitions), Pseudonyms(OTHER, partitions)
    names = {ours.of(person) for person in people}

    assert len(names) == len(people)
    assert not names & {others.of(person) for person in people}
    assert ours.fingerprint != others.fingerprint
    assert KEY not in ours.fingerprint


# who is meant


@given(ids, counts)
def test_whoever_knows_the_id_or_the_pseudonym_means_the_same(person: str, partitions: int) -> None:
    pseudonyms = Pseudonyms(KEY, partitions)
    name = pseudonyms.of(person)

    assert pseudonyms.is_ours(name)
    assert pseudonyms.meant(name) == pseudonyms.meant(person) == name
    assert not pseudonyms.is_ours(person)
    assert pseudonyms.of(name) != name, "of a topic in which shoppers have a say it is an id like any other"


@given(ids, st.integers(1, 300), st.integers(len(PREFIX), LENGTH - 1), st.sampled_from("0123456789abcdef"))
def test_no_other_text_is_taken_for_one(person: str, partitions: int, place: int, letter: str) -> None:
    pseudonyms = Pseudonyms(KEY, partitions)
    name = pseudonyms.of(person)
    changed = name[:place] + letter + name[place + 1 :]

    assert pseudonyms.is_ours(changed) == (changed == name)
    assert not Pseudonyms(OTHER, partitions).is_ours(name)


@given(ids)
def test_one_made_for_other_partitions_is_none_of_ours(person: str) -> None:
    assert not Pseudonyms(KEY, 9).is_ours(Pseudonyms(KEY, 8).of(person))


def test_a_seal_tells_records_apart_and_knows_the_same_one_again() -> None:
    pseudonyms = Pseudonyms(KEY, 8)
    records = [(None, b"u1x"), (b"", b"u1x"), (b"u1", b"x"), (b"u1x", b""), (b"u1", None)]
    seals = [pseudonyms.seal(*record) for record in records]

    assert len(set(seals)) == len(records)
    assert [Pseudonyms(KEY, 8).seal(*record) for record in records] == seals


# in events


def test_all_fields_that_name_a_person_are_known_by_their_type() -> None:
    """A new field of an event with an id in it belongs into one of the two; docs/security.md lists the first."""
    kinds = [kind for union in FROM_OUTSIDE.values() for kind in get_args(union) or (union,)]
    people = {name for kind in kinds for name in people_in(kind)}
    others = {
        field.name
        for kind in kinds
        for field in fields(kind)
        if _has(field.type, Id) and not _has(field.type, PersonId)
    }

    assert people == {"user_id", "anonymous_id", "session_id", "from_id", "to_id", "referee_id"}
    assert others == {
        *(
            "event_id",
            "traceparent",
            "platform",
            "sku",
            "category",
            "target",
            "order_id",
            "coupon",
            "trigger_id",
        ),
        *("region", "timezone", "locale", "preferred_channels", "channel", "lot_id", "id"),
        *("condition", "campaign", "audience"),
    }


def _has(annotation: Any, wanted: Any) -> bool:
    return annotation == wanted or any(_has(part, wanted) for part in get_args(annotation))


@pytest.mark.parametrize("pack", [msgspec.json.encode, msgpack.packb])
@pytest.mark.parametrize(
    ("role", "kind"),
    [
        (role, kind)
        for role, union in FROM_OUTSIDE.items()
        for kind in get_args(union)
        if issubclass(kind, UserEvent)
    ],
)
def test_every_event_names_nobody_but_by_pseudonym(role: str, kind: Any, pack: Any) -> None:
    pseudonyms = Pseudonyms(KEY, 8)
    known = pseudonyms.of("known")
    people = dict.fromkeys(people_in(kind), "somebody") | {"anonymous_id": known}
    value = pack({**filled(kind), **people})
    plain = Decoder(role, TOPICS[role], **LIMITS).decode([value, b"none"], TS)[0]
    event, bad = PseudonymisingDecoder(role, TOPICS[role], pseudonyms, **LIMITS).decode([value, b"none"], TS)

    found = msgspec.structs.asdict(event)
    name = pseudonyms.of("somebody")
    heard = known if role in HEARD else pseudonyms.of(known)
    assert found == msgspec.structs.asdict(plain) | dict.fromkeys(people_in(kind), name) | {
        "anonymous_id": heard
    }
    assert isinstance(bad, Rejected)


def filled(kind: Any) -> dict[str, Any]:
    """What an event of this kind needs."""
    values: dict[str, Any] = {
        "type": kind.__struct_config__.tag,
        "ts": TS,
        "lines": [{"sku": "k1", "quantity": 1}],
        "rating": 5,
        "granted": True,
        **dict.fromkeys(("quantity", "price", "total", "amount", "points", "expires_at"), 1),
    }
    needed = [field.name for field in fields(kind) if field.required]
    return {"type": values["type"], **{name: values.get(name, "x") for name in needed}}
