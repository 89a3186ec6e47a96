"""What leaves the outbox without going out: messages to the erased, and what is out already?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pytest

from connectors.publisher import (
    Committed,
    OutboxPublisher,
    Parcel,
    Progress,
    Resumed,
    cursor_of,
    journal_id,
)
from flows.outbox import Outbox
from state.calls import Calling, WeatherAlert, pack_call
from state.ledger import Opened


def test_what_is_committed_and_not_out_is_taken_back_with_its_user() -> None:
    outbox = Outbox(0, "a", Opened(1), Resumed([], ""))
    for name, user in (("e1", "u1"), ("e2", "u2"), ("e3", "u1")):
        outbox.write("triggers", name, b"k", b"{}", [], partition=0, user_id=user)
    first = outbox.take()
    outbox.acknowledged(Progress())
    outbox.forget_user("u1")
    assert outbox.parcel(Progress(), offsets=False, journal=False) is None, "it waits for the rewriting"
    second = outbox.take()
    outbox.acknowledged(Progress())
    assert (second.trim, [entry.id for entry in second.entries]) == (3, ["e2"])
    parcel = outbox.parcel(Progress(), offsets=False, journal=False)
    assert parcel is not None
    assert [entry.id for entry in parcel.entries] == ["e2"]
    assert cursor_of(parcel.entries[0]) not in {cursor_of(entry) for entry in first.entries}


@pytest.mark.parametrize("comes_true", [False, True])
def test_what_is_going_goes_though_its_user_is_erased_meanwhile(comes_true: bool) -> None:
    """The ledger holds it under the label it goes by: who opens the shard next finds the cursor there either way."""
    outbox = Outbox(0, "a", Opened(1, {"orders/0": 1}), Resumed([], ""))
    for name, user in (("e1", "u1"), ("e2", "u2")):
        outbox.write("triggers", name, b"k", b"{}", [], partition=0, user_id=user)
    outbox.take()
    outbox.acknowledged(Progress())
    going = outbox.parcel(Progress(), offsets=False, journal=False)
    assert going is not None
    for name, user in (("e3", "u1"), ("e4", "u2")):
        outbox.write("triggers", name, b"k", b"{}", [], partition=0, user_id=user)
    outbox.take()
    outbox.acknowledged(Progress())
    outbox.forget_user("u1")

    rewritten = outbox.take()
    outbox.acknowledged(Progress())
    assert rewritten.trim == 4
    assert [entry.id for entry in rewritten.entries] == ["e1", "e2", "e4"]
    assert rewritten.entries[:2] == going.entries, "their labels too"

    opened = Opened(2, {"orders/0": 1}, trimmed_to=rewritten.trimmed_to, outbox=rewritten.entries)
    cursor = going.cursor if comes_true else going.cursor_before
    left = OutboxPublisher(Broker(cursor)).resume({0: opened})[0].left
    assert [entry.id for entry in left] == (["e4"] if comes_true else ["e1", "e2", "e4"])

    outbox.published(going, None)
    after = outbox.parcel(Progress(), offsets=False, journal=False)
    assert after is not None
    assert [entry.id for entry in after.entries] == ["e4"]
    assert outbox.take().trim == 2


def test_what_is_out_is_not_said_again_until_all_calls_are_told() -> None:
    """The walk through an audience goes on after the marks have come as far as when the shard last published."""
    marks = Progress({"context/0": 7}, 9)
    outbox = Outbox(0, "a", Opened(1), Resumed([], "", True, {journal_id("triggers", 0, "told")}, marks))
    outbox.take()
    outbox.acknowledged(marks, telling=True)
    outbox.write("triggers", "told", b"k", b"{}", [], partition=0)
    outbox.write("triggers", "new", b"k", b"{}", [], partition=0)
    assert [entry.id for entry in outbox.take().entries] == ["new"]
    outbox.acknowledged(marks)
    outbox.write("triggers", "told", b"k", b"{}", [], partition=0)
    assert [entry.id for entry in outbox.take().entries] == ["told"], "what was to be done again is done"


def test_what_is_out_stays_skipped_where_nobody_knows_how_far_the_shard_had_come() -> None:
    """Redis was built anew and the group has lost its offsets: no commit can be said to have come as far again."""
    outbox = Outbox(0, "a", Opened(1), Resumed([], "", True, {journal_id("triggers", 0, "told")}))
    for offset in range(2):
        outbox.take()
        outbox.acknowledged(Progress({"clickstream/0": offset}, offset))
    outbox.write("triggers", "told", b"k", b"{}", [], partition=0)
    assert outbox.take().entries == []


class Broker:
    """The group is as far as the ledger; the journal knows of one record."""

    name = "p"

    def __init__(self, cursor: str = "a:3", marks: Mapping[str, int] | None = None) -> None:
        self._committed = Committed(cursor, Progress(dict(marks or {}), 9 if marks else -1))

    def committed(self, shards: Collection[int], predecessors: Collection[str]) -> dict[int, Committed]:
        return dict.fromkeys(shards, self._committed)

    def scan(self, starts: Mapping[int, int]) -> dict[int, set[str]]:
        return {shard: {"triggers/0/told"} for shard in starts}

    def begin(self, parcels: Sequence[Parcel]) -> None:
        raise NotImplementedError

    def outcome(self, *, wait: bool) -> dict[int, int] | None:
        raise NotImplementedError

    renew = close = lambda _: None


@pytest.mark.parametrize("done", [False, True])
def test_the_journal_is_asked_where_a_call_is_being_told(done: bool) -> None:
    """The ledger may have forgotten whom it has told, and caught up with everything else before the process died."""
    alert = WeatherAlert(event_id="rain", ts=1, region="north", condition="rain", starts_at=1, ends_at=2)
    calls = {"name": pack_call(Calling("region:north", 1, alert, done=done))}
    opened = Opened(1, {"context/0": 7}, watermark=9, trimmed_to="a:3", calls=calls)
    resumed = OutboxPublisher(Broker(marks={"context/0": 7})).resume({0: opened})[0]
    assert resumed.skip == (set() if done else {"triggers/0/told"})
