"""Do dead letters of a file log go back once, and only those that are events by now?"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from config.load import load
from config.settings import Settings
from connectors.codec import Rejected, RejectReason
from connectors.dead_letter_files import FileDeadLetters
from connectors.envelope import dead_letter_line
from connectors.log import LogError
from flows.redrive import Wanted, listed, redrive

TS = 1_790_000_000_000


def order(number: int, currency: str) -> bytes:
    event = {
        "event_id": f"e{number}",
        "type": "order_placed",
        "ts": TS,
        "user_id": "u1",
        "order_id": f"o{number}",
    }
    line = {"sku": "k1", "quantity": 1, "price": 100, "category": "c1"}
    return msgspec.json.encode({**event, "currency": currency, "total": 100, "lines": [line]})


def settings_of(log: Path, *more: str) -> Settings:
    return load(None, {}, [f"files.directory={log}", "demo.enabled=false", *more])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three orders in euros and a line that says nothing, all refused."""
    directory = tmp_path / "log"
    directory.mkdir()
    bad = [(order(n, "EUR"), RejectReason.CURRENCY, "not CNY - at `$.currency`") for n in range(3)]
    bad.append((b"not json", RejectReason.MALFORMED, "JSON is malformed"))
    with (directory / "dead_letters.jsonl").open("wb") as file:
        for offset, (value, reason, detail) in enumerate(bad):
            why = Rejected(reason, detail)
            file.write(dead_letter_line(why, topic="orders", partition=0, offset=offset, value=value) + b"\n")
    return directory


def nothing(done: int, total: int) -> None:
    """Of how far it is."""


def test_what_is_listed_is_counted_by_kind(log: Path) -> None:
    found = listed(settings_of(log), Wanted(), 2, nothing)

    assert {(kind.reason, count) for kind, count in found.waiting.items()} == {
        ("currency", 3),
        ("malformed", 1),
    }
    assert [record.place for record in found.newest] == [(0, 2), (0, 3)]
    assert listed(settings_of(log), Wanted("currency"), 9, nothing).waiting.total() == 3
    assert listed(settings_of(log), Wanted(topic="clickstream"), 9, nothing).waiting.total() == 0


def test_only_what_is_an_event_by_now_goes_back_and_once(log: Path) -> None:
    euros = settings_of(log, "input.currency=EUR")

    assert redrive(settings_of(log), Wanted(), 10, nothing).sent == 0, "the settings are as they were"
    assert redrive(euros, Wanted(), 10, nothing, dry_run=True).sent == 3
    assert not (log / "orders.jsonl").exists()
    first, again = (redrive(euros, Wanted(), 10, nothing) for _ in range(2))

    assert (first.sent, first.stayed) == (3, {"still malformed": 1})
    assert (again.sent, again.stayed) == (0, {"went back before": 3, "still malformed": 1})
    assert (log / "orders.jsonl").read_bytes().splitlines() == [order(n, "EUR") for n in range(3)]
    assert listed(euros, Wanted(), 9, nothing).redriven.total() == 3


def test_the_oldest_go_first_and_no_more_than_asked_for(log: Path) -> None:
    euros = settings_of(log, "input.currency=EUR")

    done = redrive(euros, Wanted("currency"), 2, nothing)

    assert (done.sent, done.left) == (2, True)
    assert (log / "orders.jsonl").read_bytes().splitlines() == [order(0, "EUR"), order(1, "EUR")]
    assert redrive(euros, Wanted("currency"), 2, nothing).sent == 1


def test_a_mended_letter_goes_with_its_new_contents_and_alone(log: Path) -> None:
    mended = {(0, 3): order(9, "CNY"), (0, 1): b"still no event", (7, 7): b"{}"}

    done = redrive(settings_of(log), Wanted(), 10, nothing, mended=mended)

    assert (done.sent, done.stayed) == (1, {"still malformed": 1, "no such letter": 1})
    assert (log / "orders.jsonl").read_bytes() == order(9, "CNY") + b"\n"


@pytest.mark.parametrize("arrived", [False, True])
def test_a_redrive_that_was_killed_is_made_good(log: Path, *, arrived: bool) -> None:
    """Before its letters were appended, or between that and the note that it is done; a shop has written meanwhile."""
    euros = settings_of(log, "input.currency=EUR")
    inputs, notes = log / "orders.jsonl", log / "dead_letters.redriven.jsonl"
    inputs.write_bytes(b'{"before":1}\n')
    assert redrive(euros, Wanted(), 10, nothing).sent == 3
    notes.write_bytes(b"".join(notes.read_bytes().splitlines(keepends=True)[:-1]))
    first, *block = inputs.read_bytes().splitlines(keepends=True)
    inputs.write_bytes(b"".join([first, b'{"shop":1}\n', *(block if arrived else []), b'{"shop":2}\n']))

    again = redrive(euros, Wanted(), 10, nothing)

    assert again.sent == (0 if arrived else 3)
    written = inputs.read_bytes().splitlines()
    assert [written.count(order(n, "EUR")) for n in range(3)] == [1, 1, 1]
    assert redrive(euros, Wanted(), 10, nothing).sent == 0


def test_two_at_once_are_refused(log: Path) -> None:
    other = FileDeadLetters(log, "dead_letters", partitions=1, value_limit=1000)
    other.begin()

    with pytest.raises(LogError, match="another process"):
        redrive(settings_of(log), Wanted(), 10, nothing)
    other.close()


def test_a_letter_that_was_cut_stays(log: Path) -> None:
    whole = FileDeadLetters(log, "dead_letters", partitions=1, value_limit=len(order(0, "EUR")) - 1)

    assert [record.whole for record in whole.read(nothing)] == [False, False, False, True]


def test_looking_changes_nothing(log: Path) -> None:
    listed(settings_of(log), Wanted(), 9, nothing)
    redrive(settings_of(log, "input.currency=EUR"), Wanted(), 9, nothing, dry_run=True)

    assert [path.name for path in log.iterdir()] == ["dead_letters.jsonl"]
