"""Which dead letters are there, and which may go back where they came from? Beside the running service.

A letter goes back once: what went is noted with the letters. And only one that is an event by now goes back, decoded by
the settings in force; any other would be a dead letter again at once.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from config.settings import Settings
from connectors.codec import Decoder, Rejected
from connectors.dead_letter_files import FileDeadLetters
from connectors.dead_letters import DeadLetters, DeadRecord, KafkaDeadLetters, Place, Progress
from flows.assemble import LINE_LIMIT, decoders_of, input_topics, wall_ms
from flows.withheld import Withheld

SCAN_RECORDS: Final = (
    200_000  # of each partition, the newest: 100 bytes of memory each for what went back (judgement)
)
_NOT_FOUND: Final = "no such letter"
_BATCH_RECORDS: Final = 200
_BATCH_BYTES: Final = 8 * 1024 * 1024

Mended = Mapping[Place, bytes]
"""New bytes for letters that a person has mended."""


class Wanted(Struct, frozen=True):
    """Which letters: of this reason, that came in on this topic (its role or its name), found bad since then."""

    reason: str | None = None
    topic: str | None = None
    since: int | None = None


class Kind(Struct, frozen=True, order=True):
    topic: str
    reason: str


class Listing(Struct):
    """`waiting` and `redriven` letters by kind, of those that are wanted; `newest` of the waiting."""

    waiting: Counter[Kind]
    redriven: Counter[Kind]
    newest: deque[DeadRecord]


class Redriven(Struct):
    """How many went back; how many stayed, by why; `left`: there are more that could go."""

    sent: int = 0
    stayed: Counter[str] = Counter()
    left: bool = False


def listed(
    settings: Settings, wanted: Wanted, limit: int, progress: Progress, *, values: bool = False
) -> Listing:
    """The newest `limit` letters that did not go back yet, and how many there are of each kind.

    `values`: also what was withheld, where it can still be had.
    """
    letters = _letters_of(settings)
    try:
        gone = letters.redriven(progress)
        found = Listing(Counter(), Counter(), deque(maxlen=limit))
        matches = _matcher(settings, wanted)
        for record in letters.read(progress):
            if not matches(record):
                continue
            kind = Kind(record.topic, record.reason)
            if record.place in gone:
                found.redriven[kind] += 1
            else:
                found.waiting[kind] += 1
                found.newest.append(record)
    finally:
        letters.close()
    if values:
        with Withheld(settings) as withheld:
            for place, record in enumerate(found.newest):
                restored = withheld.restored(record)
                found.newest[place] = record if isinstance(restored, str) else restored
    return found


def redrive(
    settings: Settings,
    wanted: Wanted,
    limit: int,
    progress: Progress,
    *,
    mended: Mended | None = None,
    dry_run: bool = False,
) -> Redriven:
    """Send at most `limit` letters back, the oldest first. `mended`: these alone, with these bytes."""
    letters, withheld = _letters_of(settings), Withheld(settings)
    done = Redriven(stayed=Counter())
    try:
        if not dry_run:
            letters.begin()
        gone = letters.redriven(progress)
        wanting = _wanting(settings, letters.read(progress), wanted, gone, mended, done)
        chosen = _chosen(settings, wanting, withheld, mended, done)
        for batch in _batches(chosen, limit, done):
            if not dry_run:
                letters.redrive(batch)
            done.sent += len(batch)
    finally:
        withheld.close()
        letters.close()
    if mended is not None and not done.left:
        done.stayed[_NOT_FOUND] = len(mended) - done.sent - done.stayed.total()
    done.stayed = +done.stayed
    return done


def _wanting(
    settings: Settings,
    records: Iterator[DeadRecord],
    wanted: Wanted,
    gone: set[Place],
    mended: Mended | None,
    done: Redriven,
) -> Iterator[DeadRecord]:
    """Who is to go, and did not yet."""
    matches = _matcher(settings, wanted)
    for record in records:
        if not matches(record) or (mended is not None and record.place not in mended):
            continue
        if record.place in gone:
            done.stayed["went back before"] += 1
        else:
            yield record


def _chosen(
    settings: Settings,
    records: Iterator[DeadRecord],
    withheld: Withheld,
    mended: Mended | None,
    done: Redriven,
) -> Iterator[DeadRecord]:
    """Who may go, with the bytes that go; `done` is told who may not, and why."""
    decoders = decoders_of(settings)
    roles = {name: role for role, name in input_topics(settings).items()}
    for record in records:
        found = withheld.restored(record)
        if isinstance(found, str):
            done.stayed[found] += 1
            continue
        going = found if mended is None else replace(found, value=mended[found.place], whole=True)
        why = _why_not(going, roles, decoders, one_line=settings.source.kind == "files")
        if why is None:
            yield going
        else:
            done.stayed[why] += 1


def _why_not(
    record: DeadRecord, roles: Mapping[str, str], decoders: Mapping[str, Decoder], *, one_line: bool
) -> str | None:
    if record.topic not in roles:
        return "its topic is none of kafka.topics"
    if not record.whole:
        return "only its beginning was kept"
    if one_line and b"\n" in record.value:
        return "it is more than one line"
    decoded = decoders[roles[record.topic]].decode([record.value], wall_ms())[0]
    return f"still {decoded.reason}" if isinstance(decoded, Rejected) else None


def _batches(records: Iterator[DeadRecord], limit: int, done: Redriven) -> Iterator[Sequence[DeadRecord]]:
    """So many and so large that a transaction stays short."""
    batch: list[DeadRecord] = []
    size = 0
    for number, record in enumerate(records):
        if number == limit:
            done.left = True
            break
        if len(batch) == _BATCH_RECORDS or (batch and size + len(record.value) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += len(record.value)
    if batch:
        yield batch


def _matcher(settings: Settings, wanted: Wanted) -> Callable[[DeadRecord], bool]:
    topic = wanted.topic and input_topics(settings).get(wanted.topic, wanted.topic)

    def matches(record: DeadRecord) -> bool:
        return (
            (wanted.reason is None or record.reason == wanted.reason)
            and (topic is None or record.topic == topic)
            and (wanted.since is None or record.at is None or record.at >= wanted.since)
        )

    return matches


def _letters_of(settings: Settings) -> DeadLetters:
    topic = settings.kafka.topics.dead_letters
    if settings.source.kind == "kafka":
        return KafkaDeadLetters(
            topic,
            bootstrap_servers=settings.kafka.bootstrap_servers,
            app=settings.app,
            scan_records=SCAN_RECORDS,
            options=settings.kafka.options,
        )
    files = settings.files
    return FileDeadLetters(Path(files.directory), topic, partitions=files.partitions, value_limit=LINE_LIMIT)
