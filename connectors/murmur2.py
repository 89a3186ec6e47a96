"""On which partition does a key live? Kafka's default partitioner, bit for bit.

The same as Java's `Utils.murmur2` and librdkafka's `murmur2` / `murmur2_random` for a record with a key, so
we can check co-partitioning and write records next to the state they belong to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_CACHED_KEYS = 1024  # SKUs and people in hand just now: 4 us each saved, some 200 bytes each kept


def murmur2(data: bytes) -> int:
    """The hash as an unsigned 32-bit integer (Java prints the same bits signed)."""
    length = len(data)
    whole = length & ~3
    h = _absorbed(_SEED ^ length, data[:whole])
    if whole != length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    return _finished(h)


def places_of(stem: bytes, suffixes: Iterable[bytes], partitions: int) -> Iterator[int]:
    """The partition of `stem` with each suffix behind it. `stem` is of whole blocks, a suffix is one: four bytes."""
    before = _absorbed(_SEED ^ (len(stem) + 4), stem)  # all that a suffix does not change
    for suffix in suffixes:
        yield (_finished(_absorbed(before, suffix)) & 0x7FFFFFFF) % partitions


@lru_cache(maxsize=_CACHED_KEYS)
def partition(key: bytes, partitions: int) -> int:
    """The partition of `key` among `partitions`: Java's `toPositive(murmur2(key)) % partitions`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def _absorbed(h: int, data: bytes) -> int:
    """After these bytes, of whole blocks."""
    for at in range(0, len(data), 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    return h


def _finished(h: int) -> int:
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15
