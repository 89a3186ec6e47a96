"""Is what each release has stored read by this one as it was meant, and does nobody change it unnoticed?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest

from config.load import fold_of, load
from flows.shard import unpack_item
from state.calls import unpack_call
from state.events import Letter
from state.ledger import Entry, NewerLayout
from state.letters import UserMoved
from state.migrations import STEPS
from state.profile import profile
from state.user import LAYOUT, User, pack, unpack
from tests.layouts import dump
from tests.layouts.stored import NOW, fields

KEPT = Path(__file__).parent
LAYOUTS = sorted(int(each.name) for each in KEPT.iterdir() if each.name.isdigit())

unpack_entry = msgspec.msgpack.Decoder(Entry).decode


def lines(layout: int) -> list[dump.Line]:
    return dump.read(KEPT / str(layout) / "state.jsonl")


def users(layout: int) -> Iterator[tuple[str, bytes]]:
    for line in lines(layout):
        if dump.kind_of(line.key) == "u":
            yield line.key.partition(":u:")[2], dump.blob(line.value)


def read(layout: int, kind: str) -> dict[str, Any]:
    """What that release read, by name."""
    told = map(msgspec.json.decode, (KEPT / str(layout) / "read.jsonl").read_bytes().splitlines())
    found = {each["name"]: each["read"] for each in told if each["kind"] == kind}
    assert found
    return found


def differing(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Of what the old release said. What the new one says beside it is its own."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name, value in old.items():
            yield from differing(value, new.get(name), f"{where}.{name}")
    elif old != new:
        yield f"{where}: {old!r} is {new!r} now"


def test_state_of_every_layout_is_kept() -> None:
    assert list(range(1, LAYOUT + 1)) == LAYOUTS, "python -m tests.layouts keeps the present one"
    assert len(STEPS) == LAYOUT - 1, "a step from each layout to the next"


def test_nobody_changes_what_is_stored_unnoticed() -> None:
    kept = dict(map(msgspec.json.decode, (KEPT / str(LAYOUT) / "fields.jsonl").read_bytes().splitlines()))
    differences = list(differing(kept, fields())) + [
        f".{name} is new" for name in fields().keys() - kept.keys()
    ]
    assert not differences, (
        f"what is stored is not layout {LAYOUT} any more. If a release has it (CHANGELOG.md), raise LAYOUT in "
        "state/user.py and append a step to STEPS in state/migrations.py. Then: python -m tests.layouts"
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_users_are_read_to_the_same_profiles(layout: int) -> None:
    fold = fold_of(load(None, {}, []))
    expected = read(layout, "u")
    found = {user_id: profile(unpack(blob), NOW, fold) for user_id, blob in users(layout)}
    assert found.keys() == expected.keys()
    assert [each for name in found for each in differing(expected[name], found[name], name)] == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_user_that_was_read_is_written_in_the_present_layout(layout: int) -> None:
    for user_id, blob in users(layout):
        assert msgpack.unpackb(blob, strict_map_key=False)[:2] == [layout, user_id]
        user = unpack(blob)
        assert (user.layout, user.user_id) == (LAYOUT, user_id)
        assert unpack(pack(user)) == user
        if layout == LAYOUT:
            assert pack(user) == blob


def test_what_is_kept_of_the_present_layout_has_every_part_of_a_user() -> None:
    kept = [unpack(blob) for _, blob in users(LAYOUT)]
    parts = {name for name in User.__struct_fields__ if name.startswith("own_")}
    blank = {name for name in parts if all(getattr(user, name) is None for user in kept)}
    assert blank == {"own_stanzas", "own_place"}, (
        "a shop that reloads, or scores by quintiles, would have them"
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_items_calls_and_the_outbox_are_read_alike(layout: int) -> None:
    items: dict[str, Any] = {}
    calls: dict[str, Any] = {}
    entries: dict[str, Any] = {}
    for line in lines(layout):
        kind = dump.kind_of(line.key)
        if kind == "i":
            items[line.key.rpartition(":")[2]] = dump.plain(unpack_item(dump.blob(line.value)))
        elif kind == "calls":
            calls |= {name: dump.plain(unpack_call(dump.blob(value))) for name, value in line.value.items()}
        elif kind == "outbox":
            entries |= {
                entry.id: dump.summary(entry) for entry in map(unpack_entry, map(dump.blob, line.value))
            }
    assert items == read(layout, "i")
    assert calls == read(layout, "calls")
    assert entries == read(layout, "outbox")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_letter_with_a_user_of_that_layout_is_opened(layout: int) -> None:
    letter = msgspec.json.decode((KEPT / str(layout) / "letter.jsonl").read_bytes(), type=Letter)
    assert isinstance(letter.content, UserMoved)
    assert unpack(letter.content.state) == unpack(dict(users(layout))[letter.content.from_id])


def test_a_user_of_a_newer_layout_is_refused_in_words() -> None:
    """Also one in which only a field was added at the end, which would decode."""
    appended = msgpack.packb([LAYOUT + 1, *msgspec.msgpack.decode(pack(User.new("u1")))[1:], "new"])
    with pytest.raises(NewerLayout):
        unpack(appended)
    newer = msgpack.packb([LAYOUT + 1, "u1", {"whatever": "it says"}])
    with pytest.raises(
        NewerLayout, match=rf"has layout {LAYOUT + 1}, but .* up to {LAYOUT}: a newer release runs on"
    ):
        unpack(newer)


@pytest.mark.parametrize(
    "blob", [msgpack.packb([LAYOUT, 7]), msgpack.packb([0, "u"]), msgpack.packb({}), b"\xc1", b""]
)
def test_what_is_no_user_is_no_older_layout(blob: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        unpack(blob)
