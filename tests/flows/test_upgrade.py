"""Does a release go on from what the one before it has stored, and keep its hands off what a newer one has?"""

from __future__ import annotations

from pathlib import Path

import msgpack
import msgspec
import pytest

from state.ledger import Commit, LedgerError, NewerLayout
from state.user import LAYOUT, User, unpack
from tests.flows.flow import HOUR, START, Flow, viewed
from tests.layouts.stored import NOW
from tests.layouts.test_layouts import KEPT, LAYOUTS, users

LATER = NOW + HOUR - START
UNKNOWN = b'{"type":"said_by_a_newer_release","event_id":"n1","ts":1790000000000}'


def keep(flow: Flow, layout: int, blobs: dict[str, bytes]) -> None:
    """As a release with that layout has left it."""
    flow.ledger.prepare(1, layout)
    version = flow.ledger.open(0, "before").version
    flow.ledger.begin_commit(0, Commit("before", version, users=blobs))
    assert flow.ledger.finish_commits() == [True]


def blob_of(flow: Flow, user_id: str) -> bytes:
    (blob,) = flow.ledger.load_users([(0, user_id)])
    assert blob is not None
    return blob


@pytest.mark.parametrize("layout", LAYOUTS)
def test_who_comes_back_is_written_anew_and_nobody_else(tmp_path: Path, layout: int) -> None:
    flow, kept = Flow(tmp_path), dict(users(layout))
    keep(flow, layout, kept)
    before = unpack(kept["shopper-0002"])
    flow.write(viewed(LATER, "shopper-0002"))
    flow.run()
    after = unpack(blob_of(flow, "shopper-0002"))
    assert blob_of(flow, "shopper-0002")[3] == LAYOUT
    assert after.last_seen_at == NOW + HOUR
    assert (after.own_rfm, after.first_seen_at) == (before.own_rfm, before.first_seen_at)
    assert before.seen[-16:] in after.seen
    assert blob_of(flow, "shopper-0001") == kept["shopper-0001"]
    assert flow.ledger.recorded()["layout"] == str(LAYOUT)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_who_was_on_the_way_between_two_shards_arrives(tmp_path: Path, layout: int) -> None:
    flow = Flow(tmp_path)
    letter = (KEPT / str(layout) / "letter.jsonl").read_bytes().strip()
    flow.write_bytes("letters", letter)
    flow.run()
    moved = unpack(dict(users(layout))[msgspec.json.decode(letter)["content"]["from_id"]])
    newcomer = flow.users()["newcomer"]
    assert newcomer.layout == LAYOUT
    assert moved.user_id in newcomer.ties.aliases
    assert (newcomer.own_rfm, newcomer.activity.by_day) == (moved.own_rfm, moved.activity.by_day)
    assert newcomer.activity.seen_on == moved.activity.seen_on
    assert newcomer.contact.consent == moved.contact.consent


def test_a_user_of_a_newer_layout_stops_the_flow_and_stays_as_it_is(tmp_path: Path) -> None:
    flow, newer = Flow(tmp_path), msgpack.packb([LAYOUT + 1, "u1", "whatever"])
    keep(flow, LAYOUT, {"u1": newer})
    flow.write(viewed(0))
    with pytest.raises(NewerLayout, match="a newer release runs on this state"):
        flow.run()
    assert blob_of(flow, "u1") == newer


def test_a_letter_that_only_a_newer_release_understands_waits_for_it(tmp_path: Path) -> None:
    """It came, and raised the layout, while we ran; without it the same letter is a dead one, as any bad record."""
    flow = Flow(tmp_path, "input.bad_share=1", "engine.batch_records=1")
    flow.write_bytes("letters", (KEPT / str(LAYOUT) / "letter.jsonl").read_bytes().strip())
    flow.write_bytes("letters", UNKNOWN)
    with pytest.raises(LedgerError, match=f"has layout {LAYOUT + 1}, but"):
        flow.run(lambda _, step: flow.ledger.prepare(1, LAYOUT + 1) if step == 0 else None)
    assert flow.lines("dead_letters") == []
    assert flow.ledger.peek(0).marks.get("letters/0", -1) < 1


def test_a_letter_that_nobody_understands_is_a_dead_one(tmp_path: Path) -> None:
    flow = Flow(tmp_path, "input.bad_share=1")
    flow.write_bytes("letters", UNKNOWN)
    flow.run()
    assert len(flow.lines("dead_letters")) == 1


def test_a_release_that_was_rolled_back_does_not_begin(tmp_path: Path) -> None:
    flow = Flow(tmp_path)
    keep(flow, LAYOUT + 1, {"u1": msgspec.msgpack.encode(User.new("u1"))})
    flow.write(viewed(0))
    with pytest.raises(LedgerError, match=f"it has layout {LAYOUT + 1}, but"):
        flow.run()
    assert flow.ledger.recorded()["layout"] == str(LAYOUT + 1)
