"""Which pseudonym stands for an id of a person, and is this one of ours? Keyed, so that nobody else can tell.

A pseudonym is `ps_`, 24 hexadecimal digits that HMAC-SHA-256 makes of the id, 5 by which we know our own, and 4 letters
chosen so that it lies on the partition of the id. Why so: docs/decisions/0035.
"""

from __future__ import annotations

import hmac
import itertools
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, get_args

from msgspec import Struct
from msgspec.structs import fields, force_setattr

from connectors.codec import Decoder, Rejected
from connectors.murmur2 import partition, places_of
from state.events import Event
from state.values import PersonId

PREFIX: Final = "ps_"
LENGTH: Final = 36
HEARD: Final = frozenset(("customers", "engagement"))
"""The topics whose writers may name a person by pseudonym. In the others shoppers may have a say in their ids."""

_BODY, _CHECK, _SEAL = 24, 5, 32  # hexadecimal digits; 2^96, so no two people of a shop are one by chance
_ALPHABET: Final = b"abcdefghijklmnopqrstuvwxyz234567"
_CACHED_IDS: Final = 65_536  # 11 us each and more are saved (decision 0035)


class Pseudonyms:
    """Of one key. `partitions`: of the user-keyed topics, each of which has as many."""

    def __init__(self, key: str, partitions: int) -> None:
        self._key = key.encode()
        self._partitions = partitions
        self.of: Callable[[str], str] = lru_cache(_CACHED_IDS)(self._of)
        """The pseudonym of an id, whatever it looks like."""
        self.meant: Callable[[str], str] = lru_cache(_CACHED_IDS)(self._meant)
        """Who is meant by one who may know the id or the pseudonym."""

    def is_ours(self, text: str) -> bool:
        """Can only somebody with the key have made it?"""
        data = text.encode()
        if len(data) != LENGTH or not text.startswith(PREFIX):
            return False
        body = text[len(PREFIX) : len(PREFIX) + _BODY]
        return hmac.compare_digest(self._made(body, partition(data, self._partitions)).encode(), data)

    def seal(self, key: bytes | None, value: bytes | None) -> str:
        """By which a record is known again, and says nothing."""
        length = -1 if key is None else len(key)
        return self._text(f"record {length} ".encode() + (key or b"") + (value or b""), _SEAL)

    @property
    def fingerprint(self) -> str:
        """Of the key: it says which one, not what it is."""
        return self._text(b"key", _SEAL)

    def _of(self, person: str) -> str:
        data = person.encode()
        return self._made(self._text(b"id " + data, _BODY), partition(data, self._partitions))

    def _meant(self, person: str) -> str:
        return person if self.is_ours(person) else self.of(person)

    def _made(self, body: str, place: int) -> str:
        stem = PREFIX + body + self._text(f"check {body} {place}/{self._partitions}".encode(), _CHECK)
        tried, suffixes = itertools.tee(map(bytes, itertools.product(_ALPHABET, repeat=4)))
        places = places_of(stem.encode(), tried, self._partitions)
        return stem + next(s for s, found in zip(suffixes, places, strict=False) if found == place).decode()

    def _text(self, message: bytes, digits: int) -> str:
        return hmac.digest(self._key, message, "sha256").hex()[:digits]


class PseudonymisingDecoder(Decoder):
    """A decoder whose events name nobody but by pseudonym."""

    def __init__(self, topic_role: str, union: Any, pseudonyms: Pseudonyms, **limits: Any) -> None:
        super().__init__(topic_role, union, **limits)
        self._name = pseudonyms.meant if topic_role in HEARD else pseudonyms.of
        self._people: dict[type, tuple[str, ...]] = {Rejected: ()}
        for kind in get_args(union) or (union,):
            self._people[kind] = people_in(kind)

    def decode(self, values: Sequence[bytes | None], now: int | None) -> list[Event | Rejected]:
        decoded = super().decode(values, now)
        people, name = self._people, self._name
        for event in decoded:
            for field in people[event.__class__]:
                person = getattr(event, field)
                if person is not None:
                    force_setattr(event, field, name(person))
        return decoded


def people_in(kind: type[Struct]) -> tuple[str, ...]:
    """The fields that name a person, as the type says."""
    return tuple(field.name for field in fields(kind) if _is_person(field.type))


def _is_person(annotation: Any) -> bool:
    return annotation == PersonId or any(map(_is_person, get_args(annotation)))
