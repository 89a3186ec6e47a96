"""What would have happened? History through the same code, event time the only clock, no server needed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from config.load import fold_of
from config.settings import Settings
from connectors.file_log import FileLog, FilePublisher
from connectors.files import FileWriter
from flows import assemble
from flows.assemble import Choices
from flows.buyers import published_on
from flows.realtime import run_graph
from state.folding import FoldParams
from state.memory_ledger import MemoryLedger
from state.profile import profile
from state.user import unpack
from triggers.trigger import Decision

_ROUNDS_A_LOOK = 16
OUTPUTS = ("triggers", "decisions", "dead_letters", "profiles")


class Summary(Struct, frozen=True):
    events: int
    users: int
    triggers: int
    decisions: int
    dead_letters: int


def run(
    settings: Settings,
    in_dir: Path,
    out_dir: Path,
    *,
    until_ts: int | None = None,
    on_decision: Callable[[Decision], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Read every input topic of `in_dir` to its end, or to `until_ts`; write the four outputs into `out_dir`.

    `progress` is told how many bytes are read, of how many.

    One shard, so that everything happens in one order: by event time, then topic, partition, offset.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    for name in OUTPUTS:
        (out_dir / f"{name}.jsonl").unlink(missing_ok=True)
    engine = settings.engine
    source = FileLog(
        in_dir,
        assemble.input_topics(settings),
        partitions=1,
        shards=[0],
        batch_records=engine.batch_records,
        max_bytes=assemble.LINE_LIMIT,
        closed=True,
        together=True,
    )
    asked = iter(range(sys.maxsize))

    def should_stop() -> bool:
        """Asked once a round, and never yes; so here it is seen how far we are."""
        if progress is not None and next(asked) % _ROUNDS_A_LOOK == 0:
            progress(*source.progress())
        return False

    choices = Choices(should_stop=should_stop, closed=True, on_decision=on_decision, until_ts=until_ts)
    ledger = MemoryLedger(engine.watchers_per_sku, engine.audience_users)
    publisher = FilePublisher(out_dir, {role: role for role in assemble.OUTPUTS}, partitions=1)
    station = assemble.station_of(settings, source, ledger, publisher, choices)
    run_graph(station)
    publisher.close()
    source.close()
    as_of = station.clock if until_ts is None else until_ts
    fold = fold_of(settings).under(published_on(ledger, 0))
    users = _write_profiles(ledger, out_dir / "profiles.jsonl", as_of, fold)
    return Summary(
        station.intake.records, users, *(_lines(out_dir / f"{name}.jsonl") for name in OUTPUTS[:3])
    )


def _write_profiles(ledger: MemoryLedger, path: Path, as_of: int, fold: FoldParams) -> int:
    writer = FileWriter(path)
    written = 0
    for user_id in ledger.user_ids(0):
        blob = ledger.load_users([(0, user_id)])[0]
        user = unpack(blob or b"")
        if user.erased_at is None and user.alias_of is None:
            writer.append([msgspec.json.encode(profile(user, as_of, fold))])
            written += 1
    writer.close()
    return written


def _lines(path: Path) -> int:
    if not path.exists():
        path.touch()
    with path.open("rb") as file:
        return sum(1 for _ in file)
