"""Does anything a producer may write stop the flow, get lost, or keep a good event from its effect?"""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.codec import RejectReason
from flows.intake import BadInput
from tests.flows.flow import Flow, added, ordered, viewed

ROLES = ["clickstream", "orders", "inventory", "customers", "engagement", "context", "letters"]
ANY_SHARE = "input.bad_share=1"
_KEYS = st.sampled_from(["type", "ts", "user_id", "sku", "quantity", "lines", "x"])
_LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=8)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=8,
)
# No `event_id` among the keys: whatever it says, it is no event.
_OBJECTS = st.dictionaries(_KEYS, _VALUES, max_size=6)
_WHOLE: list[dict[str, Any]] = [added(1), ordered(2), viewed(3)]


@st.composite
def broken_events(draw: st.DrawFn) -> bytes:
    """A good event with one thing wrong, in either format."""
    whole = dict(draw(st.sampled_from(_WHOLE)))
    needed = [name for name in whole if name not in ("price", "currency")]
    name = draw(st.sampled_from(needed))
    match draw(st.sampled_from(["missing", "null", "nested", "truncated"])):
        case "missing":
            del whole[name]
        case "null":
            whole[name] = None
        case "nested":
            whole[name] = {"x": whole[name]}
        case _:
            return bytes(msgspec.json.encode(whole)[: draw(st.integers(1, 40))])
    return msgspec.json.encode(whole) if draw(st.booleans()) else msgspec.msgpack.encode(whole)


GARBAGE = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    _VALUES.map(lambda value: str(value).encode("utf-8", "surrogatepass")),
    _OBJECTS.map(lambda value: msgpack.packb(value, unicode_errors="surrogatepass")),
    st.integers(1, 2000).map(lambda depth: b'{"type":' + b"[" * depth),
    broken_events(),
).map(lambda value: value.replace(b"\n", b" "))  # a record of a file log is a line


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(ROLES), GARBAGE) | st.integers(0, 5), max_size=25),
    st.sampled_from([1, 4000]),
    st.lists(st.integers(1, 12), max_size=3),
)
def test_whatever_comes_between_good_events(
    written: list[tuple[str, bytes] | int], batch: int, lives: list[int]
) -> None:
    """A number is a good event of that user; the process is killed now and then."""
    with tempfile.TemporaryDirectory() as directory:
        flow = Flow(Path(directory), ANY_SHARE, f"engine.batch_records={batch}")
        offsets = dict.fromkeys(ROLES, 0)
        expected: dict[tuple[str, int], bytes] = {}
        carts: dict[str, set[str]] = {}
        for number, each in enumerate(written):
            role = "clickstream" if isinstance(each, int) else each[0]
            if isinstance(each, int):
                user, sku = f"u{each}", f"k{number}"
                flow.write(added(number, user, sku))
                carts.setdefault(user, set()).add(sku)
            else:
                flow.write_bytes(role, each[1])
                expected[role, offsets[role]] = each[1]
            offsets[role] += 1
        for steps in lives:
            flow.run_and_die(steps)
        flow.run()
        assert_dead_letters(flow, expected)
        assert {user: set(known.cart.lines) for user, known in flow.users().items()} == carts


def assert_dead_letters(flow: Flow, expected: dict[tuple[str, int], bytes]) -> None:
    """Each rejected record once, with its place, a reason of the closed list, and its bytes."""
    letters = flow.lines("dead_letters")
    role_of = {getattr(flow.settings.kafka.topics, role): role for role in ROLES}
    found = {
        (role_of[letter["topic"]], letter["offset"]): base64.b64decode(letter["value_base64"])
        for letter in letters
    }
    assert len(letters) == len(found) == len(expected)
    assert found == expected
    assert all(RejectReason(letter["reason"]) for letter in letters)
    assert {letter["partition"] for letter in letters} <= {0}


class TestTooMuchOfIt:
    """More than input.bad_share of a minute's records, and at least input.bad_minimum."""

    def test_stops_the_flow_before_anything_of_it_is_committed(self, tmp_path: Path) -> None:
        flow = Flow(tmp_path, "input.bad_share=0.5", "input.bad_minimum=100")
        flow.write(*(added(n, f"u{n}") for n in range(99)))
        for _ in range(101):
            flow.write_bytes("clickstream", b"junk")
        with pytest.raises(BadInput, match=r"101 .*200.*input\.bad_share"):
            flow.run()
        assert flow.lines("dead_letters") == []
        assert flow.users() == {}

    def test_is_borne_up_to_the_share(self, tmp_path: Path) -> None:
        flow = Flow(tmp_path, "input.bad_share=0.5", "input.bad_minimum=100")
        flow.write(*(added(n, f"u{n}") for n in range(100)))
        for _ in range(100):
            flow.write_bytes("clickstream", b"junk")
        flow.run()
        assert len(flow.lines("dead_letters")) == len(flow.users()) == 100

    def test_is_borne_while_it_is_little_in_all(self, tmp_path: Path) -> None:
        flow = Flow(tmp_path, "input.bad_share=0.1", "input.bad_minimum=100")
        flow.write(*(added(n, f"u{n}") for n in range(50)))
        for _ in range(99):
            flow.write_bytes("orders", b"junk")
        flow.run()
        assert len(flow.lines("dead_letters")) == 99
