"""The same in a file log: which dead letters lie in its files, and how does one go back where it came from, once?

There is no transaction over two files. So what is about to be appended to an input is noted first, with its length and
digest, and that it is done afterwards: of a note that is not done, the next who sends looks whether it was.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from connectors.dead_letters import DeadRecord, Place, Progress
from connectors.files import FileReader, FileTopic, FileWriter
from connectors.log import LogError

_LINE_BYTES: Final = 64 * 1024 * 1024  # more than any line that `connectors/envelope.py` writes
_LINES: Final = 1000


class FileDeadLetters:
    """`value_limit`: of a longer record only the beginning was kept."""

    def __init__(self, directory: Path, topic: str, *, partitions: int, value_limit: int) -> None:
        self._directory, self._partitions = directory, partitions
        self._topic = FileTopic(directory, topic, partitions)
        self._notes_path = directory / f"{topic}.redriven.jsonl"
        self._value_limit = value_limit
        self._notes: FileWriter | None = None

    def begin(self) -> None:
        self._notes = FileWriter(self._notes_path)  # refused while another one has it
        last = [msgspec.json.decode(line, type=_Note) for line in self._notes.tail(1)]
        if last and not last[0].done and not self._arrived(last[0]):
            self._notes.append([msgspec.json.encode(_Note(undone=last[0].letters, done=True))])

    def redriven(self, progress: Progress) -> set[Place]:
        found: set[Place] = set()
        for line in _lines_of(self._notes_path):
            note = msgspec.json.decode(line, type=_Note)
            found.update(note.letters)
            found.difference_update(note.undone)
        return found

    def read(self, progress: Progress) -> Iterator[DeadRecord]:
        files = sorted(self._topic.existing().items())
        total, before = sum(path.stat().st_size for _, path in files), 0
        for part, path in files:
            read = 0
            for offset, line in enumerate(_lines_of(path)):
                read += len(line) + 1
                if offset % _LINES == 0:
                    progress(before + read, total)
                kept = msgspec.json.decode(line, type=_Line)
                value = base64.b64decode(kept.value_base64)
                yield DeadRecord(
                    (part, offset),
                    kept.topic,
                    kept.partition,
                    kept.offset,
                    kept.reason,
                    kept.detail,
                    None,
                    value,
                    whole=len(value) <= self._value_limit and b"\n" not in value,
                    withheld=kept.withheld,
                )
            before += read
        progress(before, total)

    def redrive(self, records: Sequence[DeadRecord]) -> None:
        assert self._notes is not None, "begin first"
        lanes: dict[tuple[str, int], list[DeadRecord]] = {}
        for record in records:
            lanes.setdefault((record.topic, record.partition), []).append(record)
        for (topic, part), sent in lanes.items():
            path = FileTopic(self._directory, topic, self._partitions).path(part)
            if path.suffix == ".gz":
                raise LogError(f"{path} is packed: nothing can be appended to it")
            block = b"".join(record.value + b"\n" for record in sent)
            size = path.stat().st_size if path.exists() else 0
            digest = hashlib.sha256(block).hexdigest()
            name = path.relative_to(self._directory).as_posix()
            letters = [record.place for record in sent]
            self._notes.append([msgspec.json.encode(_Note(letters, name, size, len(block), digest))])
            _append(path, block)
            self._notes.append([msgspec.json.encode(_Note(done=True))])

    def close(self) -> None:
        if self._notes is not None:
            self._notes.close()

    def _arrived(self, note: _Note) -> bool:
        """Whether the block is in its file: others may have appended before and after it, whole lines."""
        path = self._directory / note.path
        if not path.exists():
            return False
        with path.open("rb") as file:
            file.seek(note.from_byte)
            rest = file.read()
        start = 0
        while start + note.size <= len(rest):
            if hashlib.sha256(rest[start : start + note.size]).hexdigest() == note.digest:
                return True
            start = rest.find(b"\n", start) + 1
            if not start:
                return False
        return False


class _Note(Struct, omit_defaults=True):
    """`letters` are about to be sent, or `done`; `undone`: they were not, after all."""

    letters: list[Place] = []
    path: str = ""
    from_byte: int = 0
    size: int = 0
    digest: str = ""
    undone: list[Place] = []
    done: bool = False


class _Line(Struct):
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    value_base64: str
    withheld: str | None = None


def _lines_of(path: Path) -> Iterator[bytes]:
    reader = FileReader(path, max_bytes=_LINE_BYTES)
    try:
        while lines := reader.read(_LINES):
            yield from lines
    finally:
        reader.close()


def _append(path: Path, block: bytes) -> None:
    """In one write, which is atomic beside the one writer that the file may have (a shop)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        if os.write(file, block) != len(block):
            raise LogError(f"{path} took only a part: is the disk full?")
    finally:
        os.close(file)
