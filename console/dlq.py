"""Which commands look after dead letters? `dlq list` and `dlq redrive`; the work is in flows/redrive.py."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from console.options import (
    WRONG_USAGE,
    AsJson,
    Config,
    Overrides,
    moment,
    say_error,
    say_json,
    settings_of,
    told,
)
from console.progress import progress_of
from state.calendar import iso, millis

if TYPE_CHECKING:
    from connectors.dead_letters import DeadRecord
    from flows.redrive import Listing, Redriven, Wanted

_SHOWN_BYTES: Final = 200

app = typer.Typer(
    no_args_is_help=True, help="Records that were no events: what they are, and back with them."
)

Reason = Annotated[
    str | None,
    typer.Option("--reason", metavar="REASON", help="Only of this reason, as `dlq list` names it."),
]
Topic = Annotated[
    str | None,
    typer.Option("--topic", metavar="TOPIC", help="Only what came in on this topic: its role or its name."),
]
Since = Annotated[
    datetime | None,
    typer.Option("--since", parser=moment, metavar="TIME", help="RFC 3339; only what was found bad since."),
]


@app.command("list", epilog="Example: beckon dlq list --reason currency --json")
def list_(
    config: Config = None,
    overrides: Overrides = None,
    reason: Reason = None,
    topic: Topic = None,
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show so many, the newest.")] = 20,
    values: Annotated[
        bool, typer.Option("--values", help="Also keys and contents: they may say who somebody is.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say which dead letters have not gone back yet, by topic and reason, and show the newest."""
    settings = settings_of(config, overrides)
    with told(), progress_of("reading dead letters") as progress:
        from flows import redrive as work

        found = work.listed(settings, _wanted(reason, topic, since), limit, progress, values=values)
    if as_json:
        for record in found.newest:
            say_json(_shown(record, values=values))
        return
    for line in _lines_of(found, values=values):
        print(line)


@app.command(epilog="Example: beckon dlq redrive --reason currency --set input.currency=EUR")
def redrive(
    config: Config = None,
    overrides: Overrides = None,
    reason: Reason = None,
    topic: Topic = None,
    since: Since = None,
    everything: Annotated[bool, typer.Option("--all", help="Whatever the reason and the topic.")] = False,
    mended: Annotated[
        Path | None,
        typer.Option(
            "--mended",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="These letters alone, with the contents here: lines of `dlq list --values --json`, edited.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the oldest first.")] = 1000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many would go back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to the topics they came in on, with the same key, each once.

    Only those that are events by now, by the settings in force: any other would come back.
    """
    if not (reason or topic or since or mended or everything):
        say_error("say which: --reason, --topic, --since or --mended; or --all")
        raise typer.Exit(WRONG_USAGE)
    settings = settings_of(config, overrides)
    contents = None if mended is None else _contents(mended)
    with told(), progress_of("sending dead letters back") as progress:
        from flows import redrive as work

        wanted = _wanted(reason, topic, since)
        done = work.redrive(settings, wanted, limit, progress, mended=contents, dry_run=dry_run)
    if as_json:
        say_json({"sent": done.sent, "stayed": done.stayed, "left": done.left, "dry_run": dry_run})
        return
    for line in _summary(done, dry_run=dry_run):
        print(line)


def _wanted(reason: str | None, topic: str | None, since: datetime | None) -> Wanted:
    from flows.redrive import Wanted

    return Wanted(reason, topic, None if since is None else millis(since))


def _contents(path: Path) -> dict[tuple[int, int], bytes]:
    """By letter; exit 2 where a line cannot be understood."""
    found: dict[tuple[int, int], bytes] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            each = msgspec.json.decode(line, type=dict[str, Any])
            part, _, offset = str(each["letter"]).partition("/")
            packed = each.get("value_base64")
            value = str(each["value"]).encode() if packed is None else base64.b64decode(packed, validate=True)
            found[int(part), int(offset)] = value
        except (ValueError, KeyError) as error:
            say_error(
                f"{path}, line {number}: not a line of `dlq list --values --json` ({type(error).__name__})"
            )
            raise typer.Exit(WRONG_USAGE) from None
    return found


def _shown(record: DeadRecord, *, values: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "letter": f"{record.place[0]}/{record.place[1]}",
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "reason": record.reason,
        "detail": record.detail,
        "at": None if record.at is None else iso(record.at),
        "bytes": len(record.value),
        "whole": record.whole,
        "withheld": record.withheld is not None,
    }
    if values:
        shown["key"] = None if record.key is None else record.key.decode(errors="replace")
        try:
            shown["value"] = record.value.decode()
        except UnicodeDecodeError:
            shown["value_base64"] = base64.b64encode(record.value).decode()
    return shown


def _lines_of(found: Listing, *, values: bool) -> Iterator[str]:
    kinds = sorted({*found.waiting, *found.redriven})
    if not kinds:
        yield "no dead letters"
        return
    yield f"{'waiting':>9} {'went back':>9}  topic, reason"
    for kind in kinds:
        yield f"{found.waiting[kind]:>9,} {found.redriven[kind]:>9,}  {kind.topic}, {kind.reason}"
    if found.newest:
        yield f"the newest {len(found.newest)} of those that wait, the last one last:"
    for record in found.newest:
        at = "" if record.at is None else f", {iso(record.at)}"
        came = f"{record.topic}/{record.partition}/{record.offset}"
        yield f"  {record.place[0]}/{record.place[1]}  from {came}{at}  {record.reason}: {record.detail}"
        if values:
            yield f"      {record.value[:_SHOWN_BYTES]!r}"


def _summary(done: Redriven, *, dry_run: bool) -> Iterator[str]:
    yield f"{done.sent:,} {'would go' if dry_run else 'went'} back to their topics"
    for why, count in done.stayed.most_common():
        yield f"{count:,} stay: {why}"
    if done.left:
        yield "there are more: the same command again, or a larger --limit"
