"""Where is the log when there is no broker? In files: a topic is a file or a folder, a line is a record.

`<topic>.jsonl` or `<topic>.jsonl.gz` is partition 0; a folder `<topic>/` holds `<partition>.jsonl`. A
record's offset is its line number from 0, blank lines included.
"""

from __future__ import annotations

import fcntl
import gzip
import io
import os
import zlib
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

from msgspec import Struct

from connectors.log import LogError

CHUNK_BYTES = 256 * 1024

Source = gzip.GzipFile | FileIO


class FileTopic(Struct, frozen=True):
    """The files of one topic in a directory; `partitions` decides the form of a topic not there yet."""

    directory: Path
    name: str
    partitions: int = 1

    def existing(self) -> dict[int, Path]:
        """What there is now, by partition; empty if nothing."""
        plain = self.directory / f"{self.name}.jsonl"
        packed = self.directory / f"{self.name}.jsonl.gz"
        folder = self.directory / self.name
        forms = [path for path in (plain, packed, folder) if path.exists()]
        if len(forms) > 1:
            raise LogError(
                f"topic {self.name} is there twice, as {forms[0]} and {forms[1]}: move one of them away"
            )
        if forms != [folder]:
            return dict(enumerate(forms))
        return {int(path.stem): path for path in folder.glob("*.jsonl") if path.stem.isdecimal()}

    def path(self, partition: int) -> Path:
        """The file of a partition: where it is, or where it is to be created."""
        existing = self.existing()
        if partition in existing:
            return existing[partition]
        if self.partitions == 1 and not existing:
            return self.directory / f"{self.name}.jsonl"
        return self.directory / self.name / f"{partition}.jsonl"


class FileReader:
    """Reads one file from line `next_offset` on and follows it as it grows; it need not exist yet.

    A last line without its newline is still being written and is left alone, unless the file is `closed`
    (nobody writes it any more, as in a replay; a `.gz` always is). Of a line longer than `max_bytes` only
    the first `max_bytes` + 1 come out: enough for the codec to see that it is too large.
    """

    def __init__(
        self, path: Path, next_offset: int = 0, *, max_bytes: int = CHUNK_BYTES, closed: bool = False
    ) -> None:
        self.path = path
        self.next_offset = next_offset
        self._closed = closed or path.suffix == ".gz"
        self._cut = max_bytes + 1
        self._chunk_bytes = min(CHUNK_BYTES, max_bytes)  # so only a line across chunks can be too long
        self._file: Source | None = None
        self._ready: list[bytes] = []
        self._torn = b""  # the beginning of the line that the last chunk left open,
        self._torn_bytes = 0  # and how much of it was read, which may be more than was kept
        self._end_seen = -1

    def read(self, max_records: int) -> list[bytes]:
        """The next complete lines, without their newlines; empty when there are none now."""
        file = self._file or self._open()
        if file is None:
            return []
        while len(self._ready) < max_records and self._read_chunk(file):
            pass
        if self._torn_bytes and not self._closed:
            # A writer that was killed cuts its torn line off when it comes back: never keep one.
            file.seek(-self._torn_bytes, os.SEEK_CUR)
            self._torn, self._torn_bytes = b"", 0
        taken = self._ready[:max_records]
        del self._ready[:max_records]
        self.next_offset += len(taken)
        return taken

    @property
    def at_end(self) -> bool:
        """True when every complete line that the file has now was returned by `read`."""
        if self._ready:
            return False
        if self._file is None:
            return not self.path.exists()
        return self._end_seen == self._size()

    @property
    def bytes_read(self) -> int:
        """Of the file as it lies there, what was decoded of it in advance included."""
        packed = self._file.fileobj if isinstance(self._file, gzip.GzipFile) else self._file
        return packed.tell() if isinstance(packed, io.IOBase) else 0

    @property
    def size(self) -> int:
        return self._size() if self.path.exists() else 0

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> Source | None:
        if not self.path.exists():
            if self.next_offset:
                raise LogError(f"{self.path} is gone, but {self.next_offset} of its lines were read before")
            return None
        file: Source = gzip.GzipFile(self.path) if self.path.suffix == ".gz" else FileIO(self.path)
        self._file = file
        self._skip(file, self.next_offset)
        return file

    def _skip(self, file: Source, lines: int) -> None:
        while lines:
            if not self._read_chunk(file) and not self._ready:
                raise LogError(f"{self.path} ends {lines} lines before line {self.next_offset}, read before")
            dropped = min(lines, len(self._ready))
            del self._ready[:dropped]
            lines -= dropped

    def _read_chunk(self, file: Source) -> bool:
        """Split the next bytes into lines; False at the end of the file."""
        try:
            chunk = file.read(self._chunk_bytes)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise LogError(f"{self.path} is not a complete gzip file: {error}") from error
        if not chunk:
            self._at_file_end(file)
            return False
        lines = chunk.split(b"\n")
        self._torn_bytes = len(lines[-1]) + (self._torn_bytes if len(lines) == 1 else 0)
        lines[0] = (self._torn + lines[0])[: self._cut]
        self._torn = lines.pop()
        self._ready += lines
        return True

    def _at_file_end(self, file: Source) -> None:
        if self._closed:
            if self._torn:
                self._ready.append(self._torn)
                self._torn, self._torn_bytes = b"", 0
            self._end_seen = self._size()
            return
        self._end_seen = file.tell()
        if self._size() < self._end_seen - self._torn_bytes:
            raise LogError(f"{self.path} has become shorter than what was read of it")

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError as error:
            raise LogError(f"{self.path} is gone while it was being read") from error


class FileWriter:
    """Appends records to one file as lines; the only writer of it while open. Not for several threads.

    `fsync`: wait for the disk with every append. Without it an append has reached the operating system,
    and survives the death of this process but not that of the machine.
    """

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._fsync = fsync
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise LogError(f"{path} is being written by another process or writer") from error
        os.ftruncate(self._fd, _end_of_last_line(self._fd))  # a torn last line is what a killed writer left

    def append(self, values: Sequence[bytes]) -> None:
        """Write all of `values`, or on an error none."""
        if not values:
            return
        lines = b"\n".join(values) + b"\n"
        if lines.count(b"\n") != len(values):
            raise ValueError("a record with a newline in it would be two records")
        data, size = memoryview(lines), os.fstat(self._fd).st_size
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            os.ftruncate(self._fd, size)
            raise
        if self._fsync:
            os.fsync(self._fd)

    def tail(self, records: int) -> list[bytes]:
        """The last records, oldest first; fewer if there are not so many."""
        start, found = os.fstat(self._fd).st_size, -1  # the newline that ends the last line begins none
        data = b""
        while start > 0 and found < records:
            size = min(CHUNK_BYTES, start)
            start -= size
            chunk = os.pread(self._fd, size, start)
            found += chunk.count(b"\n")
            data = chunk + data
        return data.split(b"\n")[:-1][-records:] if records > 0 else []

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _end_of_last_line(fd: int) -> int:
    """The byte after the last newline."""
    end = os.fstat(fd).st_size
    while end > 0:
        start = max(0, end - CHUNK_BYTES)
        at = os.pread(fd, end - start, start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0
