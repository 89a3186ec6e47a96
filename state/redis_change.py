"""How does the change of a shard travel to commit.lua? As one MessagePack array, and all blobs in one string."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import msgspec

from state.ledger import Blob, Commit

_pack = msgspec.msgpack.Encoder().encode


def change_of(commit: Commit) -> tuple[bytes, bytes]:
    """What changes, as commit.lua takes it apart, and all blobs in the order in which their sizes are there."""
    entries = [_pack(entry) for entry in commit.outbox]
    calls, over = _split(commit.calls)
    counted, uncounted = _split(commit.buyers)
    change = (
        [*chain.from_iterable(commit.marks.items())],
        *([*commit.users], [*map(len, commit.users.values())]),
        [word for user, at in commit.timers.items() if at is not None for word in (at, user)],
        [user for user, at in commit.timers.items() if at is None],
        commit.watchers,
        commit.unwatch,
        *([*commit.items], [*map(len, commit.items.values())]),
        [*map(len, entries)],
        commit.joins,
        commit.leaves,
        *([*calls], [*map(len, calls.values())]),
        over,
        *([*counted], [*map(len, counted.values())], uncounted),
    )
    blobs = (*commit.users.values(), *commit.items.values(), *entries, *calls.values(), *counted.values())
    return _pack(change), b"".join(blobs)


def _split(changes: Mapping[str, Blob | None]) -> tuple[dict[str, Blob], list[str]]:
    """What is set, and what is removed."""
    kept = {name: blob for name, blob in changes.items() if blob is not None}
    return kept, [name for name, blob in changes.items() if blob is None]
