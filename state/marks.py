"""What was said before, of which nothing else is kept? Marks: 8-byte hashes in a row, the oldest first."""

from __future__ import annotations

from collections.abc import Collection

from xxhash import xxh3_64_digest

MARK_BYTES = 8


def mark_of(text: str) -> bytes:
    return xxh3_64_digest(text.encode())


def each(marks: bytes) -> list[bytes]:
    return [marks[at : at + MARK_BYTES] for at in range(0, len(marks), MARK_BYTES)]


def note(marks: bytes, mark: bytes, limit: int, *, instead_of: Collection[bytes] = ()) -> bytes:
    """The marks with `mark` as the newest; of more than `limit` the oldest makes room."""
    kept = [known for known in each(marks) if known != mark and known not in instead_of]
    return b"".join([*kept, mark][-limit:])


def unite(marks: bytes, older: bytes, limit: int) -> bytes:
    known = each(marks)
    return b"".join([*(mark for mark in each(older) if mark not in known), *known][-limit:])
