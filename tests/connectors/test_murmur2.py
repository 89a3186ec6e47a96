"""Does our partitioner agree with Kafka's, bit for bit?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.murmur2 import murmur2, partition

# Signed values from Kafka's own UtilsTest.java and librdkafka's rdmurmur2.c.
VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), VECTORS.items())
def test_known_vectors(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF


def test_the_sign_bit_is_masked_not_negated() -> None:
    assert partition(b"21", 8) == (-973932308 & 0x7FFFFFFF) % 8


@given(st.binary(max_size=64), st.integers(1, 64))
def test_every_key_has_a_partition(key: bytes, partitions: int) -> None:
    assert 0 <= partition(key, partitions) < partitions


def test_keys_spread_evenly() -> None:
    counts = [0] * 8
    for number in range(8_000):
        counts[partition(b"user-%d" % number, 8)] += 1
    assert min(counts) > 850
    assert max(counts) < 1_150
