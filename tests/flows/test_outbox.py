"""Is a message taken back that is in the ledger already and not out, when its user is erased?"""

from __future__ import annotations

from connectors.publisher import Progress, Resumed, cursor_of
from flows.outbox import Outbox
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
