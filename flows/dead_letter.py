"""What is kept of a record that is not an event? Its bytes, its place, and the reason."""

from __future__ import annotations

from msgspec import Struct


class DeadLetter(Struct, frozen=True, gc=False):
    """Travels through the merge like an event; becomes one record on the dead-letter topic."""

    topic: str
    id: str
    reason: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
