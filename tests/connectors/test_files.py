"""Does the file log keep its promises: every complete line once, in order, whatever was torn or grew?"""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import files
from connectors.files import FileReader, FileTopic, FileWriter
from connectors.log import LogError

lines = st.binary(max_size=30).map(lambda line: line.replace(b"\n", b" "))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines longer than a chunk, and chunks that end anywhere, in every test."""
    monkeypatch.setattr(files, "CHUNK_BYTES", 16)


def read_all(reader: FileReader, max_records: int = 3) -> list[bytes]:
    records: list[bytes] = []
    while taken := reader.read(max_records):
        assert len(taken) <= max_records
        records += taken
    return records


def seen_to_end(reader: FileReader) -> bool:
    return reader.at_end  # behind a call, as mypy takes a property for a constant


# --- reading


@given(st.lists(lines), st.integers(1, 5), st.integers(0, 100), st.booleans())
def test_reads_every_line_from_any_offset(
    values: list[bytes], max_records: int, skipped: int, packed: bool
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / ("t.jsonl.gz" if packed else "t.jsonl")
        data = b"".join(value + b"\n" for value in values)
        path.write_bytes(gzip.compress(data) if packed else data)
        offset = min(skipped, len(values))
        reader = FileReader(path, offset)
        assert read_all(reader, max_records) == values[offset:]
        assert reader.next_offset == len(values)
        assert seen_to_end(reader)
        reader.close()


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 4))
def test_follows_a_file_that_grows_by_any_pieces(pieces: list[bytes], max_records: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "t.jsonl"
        reader = FileReader(path)
        assert reader.read(1) == []
        records: list[bytes] = []
        with path.open("wb", buffering=0) as file:
            for piece in pieces:
                file.write(piece)
                records += reader.read(max_records)
        records += read_all(reader)
        complete = b"".join(pieces).split(b"\n")[:-1]
        assert records == complete
        assert seen_to_end(reader)
        reader.close()
        resumed = FileReader(path, min(2, len(complete)))
        assert read_all(resumed) == complete[2:]
        resumed.close()


def test_a_torn_line_that_its_writer_cut_off_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"a":1}\n{"torn and longer than a chunk')
    reader = FileReader(path)
    assert reader.read(9) == [b'{"a":1}']
    writer = FileWriter(path)
    assert reader.read(9) == []
    writer.append([b'{"b":2}'])
    assert reader.read(9) == [b'{"b":2}']
    assert seen_to_end(reader)
    reader.close()
    writer.close()


def test_a_last_line_without_newline_counts_only_in_a_closed_file(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"1\n22")
    growing, closed = FileReader(path), FileReader(path, closed=True)
    assert read_all(growing) == [b"1"]
    assert seen_to_end(growing)
    assert read_all(closed) == [b"1", b"22"]
    assert seen_to_end(closed)
    growing.close()
    closed.close()


def test_at_end_turns_false_again_when_the_file_grows(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    reader = FileReader(path)
    assert seen_to_end(reader)
    path.write_bytes(b"1\n2\n")
    assert not seen_to_end(reader)
    assert reader.read(1) == [b"1"]
    assert not seen_to_end(reader)
    assert reader.read(5) == [b"2"]
    assert seen_to_end(reader)
    with path.open("ab") as file:
        file.write(b"3\n")
    assert not seen_to_end(reader)
    assert reader.read(5) == [b"3"]
    reader.close()


@given(st.integers(1, 200), st.integers(1, 40), st.booleans())
def test_a_long_line_is_cut_just_past_the_limit(length: int, max_bytes: int, closed: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "t.jsonl"
        path.write_bytes(b"a\n" + b"x" * length + b"\nb\n" + b"y" * length + b"\n")
        reader = FileReader(path, max_bytes=max_bytes, closed=closed)
        kept = min(length, max_bytes + 1)
        assert read_all(reader, 1) == [b"a", b"x" * kept, b"b", b"y" * kept]
        reader.close()


def test_a_file_that_lost_what_was_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with pytest.raises(LogError, match="gone"):
        FileReader(path, 3).read(1)
    path.write_bytes(b"1\n2\n33")
    short = FileReader(path, 3)
    with pytest.raises(LogError, match="ends 1 lines before"):
        short.read(1)
    short.close()
    reader = FileReader(path)
    assert len(reader.read(5)) == 2
    path.write_bytes(b"1\n")
    with pytest.raises(LogError, match="shorter"):
        reader.read(5)
    path.unlink()
    with pytest.raises(LogError, match="gone"):
        seen_to_end(reader)
    reader.close()


def test_a_broken_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(gzip.compress(b"1\n" * 1000)[:-12])
    reader = FileReader(path)
    with pytest.raises(LogError, match="not a complete gzip file"):
        read_all(reader)
    reader.close()


# --- writing


@given(st.lists(st.lists(lines)), lines, st.integers(0, 60))
def test_what_is_appended_is_there_after_a_torn_end(
    batches: list[list[bytes]], torn: bytes, records: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "deep" / "t.jsonl"
        written: list[bytes] = []
        for batch in batches:
            writer = FileWriter(path)
            writer.append(batch)
            written += batch
            assert writer.tail(records) == (written[-records:] if records else [])
            writer.close()
            with path.open("ab") as file:
                file.write(torn)
        writer = FileWriter(path)
        assert path.read_bytes() == b"".join(value + b"\n" for value in written)
        writer.close()


def test_fsync_changes_nothing_that_can_be_read(tmp_path: Path) -> None:
    writer = FileWriter(tmp_path / "t.jsonl", fsync=True)
    writer.append([b"1"])
    writer.append([])
    assert writer.tail(9) == [b"1"]
    writer.close()


def test_a_file_has_one_writer(tmp_path: Path) -> None:
    writer = FileWriter(tmp_path / "t.jsonl")
    with pytest.raises(LogError, match="another"):
        FileWriter(tmp_path / "t.jsonl")
    writer.close()
    FileWriter(tmp_path / "t.jsonl").close()


def test_a_record_with_a_newline_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    writer = FileWriter(tmp_path / "t.jsonl")
    with pytest.raises(ValueError, match="newline"):
        writer.append([b"1", b"2\n3"])
    assert writer.tail(9) == []
    writer.close()


# --- finding


def test_the_forms_of_a_topic(tmp_path: Path) -> None:
    orders = FileTopic(tmp_path, "orders")
    assert orders.existing() == {}
    assert orders.path(0) == tmp_path / "orders.jsonl"
    assert FileTopic(tmp_path, "orders", 4).path(3) == tmp_path / "orders" / "3.jsonl"
    (tmp_path / "orders.jsonl.gz").touch()
    assert orders.existing() == {0: tmp_path / "orders.jsonl.gz"}
    assert orders.path(0) == tmp_path / "orders.jsonl.gz"
    folder = tmp_path / "clickstream"
    folder.mkdir()
    for name in ("0.jsonl", "11.jsonl", "notes.txt", "old.jsonl"):
        (folder / name).touch()
    clickstream = FileTopic(tmp_path, "clickstream")
    assert clickstream.existing() == {0: folder / "0.jsonl", 11: folder / "11.jsonl"}
    assert clickstream.path(5) == folder / "5.jsonl"


def test_a_topic_in_two_forms_is_refused(tmp_path: Path) -> None:
    (tmp_path / "orders.jsonl").touch()
    (tmp_path / "orders").mkdir()
    with pytest.raises(LogError, match="twice"):
        FileTopic(tmp_path, "orders").existing()
