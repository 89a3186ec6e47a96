"""What is an input log? Records of topics in partitions, read in order; Kafka and the file log both are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from msgspec import Struct

Lane = tuple[str, int]
"""One partition of one input topic: (topic role, partition)."""


class Chunk(Struct):
    """Records of one lane in offset order; `key(i)` is the key of the i-th, asked for rarely."""

    lane: Lane
    offsets: list[int]
    values: list[bytes | None]
    key: Callable[[int], bytes | None]


class Poll(Struct):
    """What one poll brought: records, and the lanes that have been read to their end.

    `ended` says with each when (by `time.monotonic`) that was known to be so; NEVER_KNOWN: it was once. `passed`: the
    last offset before such an end, where there may be no record (a transaction's marker).
    """

    chunks: list[Chunk]
    ended: dict[Lane, float]
    passed: dict[Lane, int] = {}


NEVER_KNOWN = float("-inf")


class Assignment(Protocol):
    """The owner of the shards. Called from within `poll`, on the thread of the flow."""

    def gained(self, shards: list[int]) -> Mapping[Lane, int]:
        """Open these shards; answer with the offset at which to read each lane (absent: its beginning)."""

    def lost(self, shards: list[int], *, fenced: bool) -> None:
        """Give these shards up; `fenced` when somebody else may own them already and nothing may be published."""


class InputLog(Protocol):
    """`partitions`: of each topic, by role; as many shards as the letters have."""

    partitions: dict[str, int]

    @property
    def trouble(self) -> str | None:
        """Why nothing can be read at the moment, in words, if so: a poll may just be empty then."""

    def start(self, assignment: Assignment) -> None: ...

    def poll(self, timeout_seconds: float) -> Poll:
        """Wait for records no longer than `timeout_seconds`; not at all where some are there."""

    def pause(self, lanes: Iterable[Lane]) -> None: ...

    def resume(self, lanes: Iterable[Lane]) -> None: ...

    def reopen(self) -> None:
        """Give all shards up as fenced, gain them again, and read on from where their ledgers are."""

    def lanes(self, shard: int) -> list[Lane]:
        """The lanes of a shard in canonical order (topics as in state.events.TOPICS)."""

    def lag(self) -> Mapping[Lane, int]:
        """Records not read yet by lane, where the log can tell without asking a server."""

    def close(self) -> None: ...


class LogError(Exception):
    """The log cannot be used as it is; the text tells an operator why and what to do."""


class LogUnavailable(Exception):
    """The log does not answer now; what was asked of it may or may not have happened."""
