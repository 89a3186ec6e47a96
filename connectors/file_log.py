"""How is the file log an input log and a publisher? Partitions are files; what is out is what the files end with."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from connectors.files import FileReader, FileTopic, FileWriter
from connectors.log import Assignment, Chunk, Lane, Poll
from connectors.publisher import Parcel, Resumed
from state.ledger import Entry, Opened

_PAUSE_SECONDS = 0.005
_TAIL_PER_ENTRY = 2


class FileLog:
    """Reads the partitions of `shards`; each worker process is told its own. `closed`: nobody writes any more.

    `together`: there is one shard, and all partitions are its lanes.
    """

    trouble: str | None = None

    def __init__(
        self,
        directory: Path,
        topics: Mapping[str, str],
        *,
        partitions: int,
        shards: Sequence[int],
        batch_records: int,
        max_bytes: int,
        closed: bool = False,
        together: bool = False,
    ) -> None:
        self._topics = {role: FileTopic(directory, name, partitions) for role, name in topics.items()}
        self._shards = list(shards)
        self._batch = batch_records
        self._max_bytes = max_bytes
        self._closed = closed
        self._readers: dict[Lane, FileReader] = {}
        self._paused: set[Lane] = set()
        self._assignment: Assignment | None = None
        self._together = together
        self._files = {
            role: max([partitions, *(p + 1 for p in t.existing())]) for role, t in self._topics.items()
        }
        self.partitions = dict.fromkeys(self._topics, 1) if together else self._files

    def start(self, assignment: Assignment) -> None:
        self._assignment = assignment
        positions = assignment.gained(self._shards)
        for shard in self._shards:
            for lane in self.lanes(shard):
                path = self._topics[lane[0]].path(lane[1])
                reader = FileReader(
                    path, positions.get(lane, 0), max_bytes=self._max_bytes, closed=self._closed
                )
                self._readers[lane] = reader

    def poll(self, timeout_seconds: float) -> Poll:
        deadline = time.monotonic() + timeout_seconds
        while True:
            found = self._read()
            if found.chunks or time.monotonic() >= deadline:
                return found
            if self._closed:
                return found
            time.sleep(min(_PAUSE_SECONDS, timeout_seconds))

    def pause(self, lanes: Iterable[Lane]) -> None:
        self._paused.update(lanes)

    def resume(self, lanes: Iterable[Lane]) -> None:
        self._paused.difference_update(lanes)

    def reopen(self) -> None:
        assert self._assignment is not None
        self._assignment.lost(self._shards, fenced=True)
        self.close()
        self.start(self._assignment)

    def lanes(self, shard: int) -> list[Lane]:
        if self._together:
            return [(role, part) for role in self._topics for part in range(self._files[role])]
        return [(role, shard) for role in self._topics if shard < self.partitions[role]]

    def lag(self) -> dict[Lane, int]:
        return {}  # counting the lines of a growing file would mean to read it

    def progress(self) -> tuple[int, int]:
        """How many bytes of the files are read, and how many there are, packed ones as they are."""
        readers = self._readers.values()
        return sum(reader.bytes_read for reader in readers), sum(reader.size for reader in readers)

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        self._paused.clear()

    def _read(self) -> Poll:
        now = time.monotonic()
        chunks: list[Chunk] = []
        ended: dict[Lane, float] = {}
        for lane, reader in self._readers.items():
            if lane in self._paused:
                continue
            first = reader.next_offset
            values: list[bytes | None] = [*reader.read(self._batch)]
            if values:
                chunks.append(Chunk(lane, list(range(first, first + len(values))), values, lambda _: None))
            if reader.at_end:
                ended[lane] = now
        return Poll(chunks, ended)


class FilePublisher:
    """Appends the outboxes to the output topics. One writer a file: shard p writes partition p.

    A crash may leave part of a round in the files. The entries of a reopened outbox that the files already
    end with are out: a line is compared whole, so two records about one trigger stay two.
    """

    def __init__(self, directory: Path, topics: Mapping[str, str], *, partitions: int) -> None:
        self._directory = directory
        self._topics = dict(topics)
        self._partitions = partitions
        self._writers: dict[tuple[str, int], FileWriter] = {}
        self.name = "files"
        self.trouble: str | None = None

    def resume(self, opened: Mapping[int, Opened]) -> dict[int, Resumed]:
        return {shard: self._resume(shard, each) for shard, each in opened.items()}

    def begin(self, parcels: Sequence[Parcel]) -> None:
        lines: dict[tuple[str, int], list[bytes]] = {}
        for parcel in parcels:
            for entry in parcel.entries:
                lines.setdefault(self._place(parcel.shard, entry), []).append(entry.value)
        for place, values in lines.items():
            self._writer(place).append(values)

    def outcome(self, *, wait: bool) -> Mapping[int, int]:
        return {}

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _resume(self, shard: int, opened: Opened) -> Resumed:
        tails: dict[tuple[str, int], set[bytes]] = {}
        left = []
        for entry in opened.outbox:
            place = self._place(shard, entry)
            if place not in tails:
                tails[place] = set(self._writer(place).tail(_TAIL_PER_ENTRY * len(opened.outbox)))
            if entry.value not in tails[place]:
                left.append(entry)
        return Resumed(left, opened.trimmed_to, rewrite=len(left) < len(opened.outbox))

    def _place(self, shard: int, entry: Entry) -> tuple[str, int]:
        return entry.topic, shard if entry.partition is None else entry.partition

    def _writer(self, place: tuple[str, int]) -> FileWriter:
        writer = self._writers.get(place)
        if writer is None:
            role, _, rule = place[0].partition(".")
            name = f"{self._topics[role]}.{rule}" if rule else self._topics[role]
            path = FileTopic(self._directory, name, self._partitions).path(place[1])
            writer = self._writers[place] = FileWriter(path)
        return writer
