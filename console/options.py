"""What do all commands share? `--config`, `--set`, values with units, and how an error is told."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
import typer

from state.calendar import Duration

if TYPE_CHECKING:
    from config.settings import Settings

FAILED: Final = 1
WRONG_USAGE: Final = 2
WORKER: Final = "BECKON_WORKER"  # set in the child processes of `run --workers N`

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="YAML file of settings; what it leaves out is the default."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="One setting, as YAML; may be repeated."),
]


def settings_of(config: Path | None, overrides: Sequence[str] | None) -> Settings:
    """The settings in force, logging set up by them; exit 2, all errors told, where they cannot be used."""
    from config.load import ConfigError, load
    from connectors import logs

    try:
        settings = load(config, os.environ, overrides or ())
    except ConfigError as error:
        count = len(error.problems)
        say_error(f"the configuration has {count} error{'s' if count > 1 else ''}:")
        for problem in error.problems:
            print(f"  - {problem}", file=sys.stderr)
        raise typer.Exit(WRONG_USAGE) from None
    logs.configure(settings.logs.level, settings.logs.format, os.environ.get(WORKER))
    return settings


def arguments_of(config: Path | None, overrides: Sequence[str] | None) -> list[str]:
    """The same choice of settings as arguments, for a child process."""
    chosen = [] if config is None else ["--config", str(config)]
    for override in overrides or ():
        chosen += ["--set", override]
    return chosen


def duration(text: str) -> Duration:
    """For options that take a duration."""
    try:
        return Duration.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def moment(text: str) -> datetime:
    """For options that take a point in time."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise ValueError("no zone")
    except ValueError:
        message = f"{text!r} is not a time with its zone: write RFC 3339, as 2026-09-21T14:13:20Z"
        raise typer.BadParameter(message) from None
    return found


AsUser = Annotated[
    Literal["flow", "reader", "service"],
    typer.Option("--as", help="Whose work is meant: the flow's, a reader's, customer service's."),
]
Until = Annotated[
    datetime | None,
    typer.Option("--until", parser=moment, metavar="TIME", help="RFC 3339; read no further."),
]

AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON object a line.")]


def say_json(value: object) -> None:
    print(msgspec.json.encode(value).decode(), flush=True)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """An error that an operator can mend ends the command in words and exit code 1; ours keep their trace."""
    try:
        yield
    except Exception as error:
        found = _mendable(error)
        if found is None:
            raise
        say_error(found)
        raise typer.Exit(FAILED) from None


def say_error(text: str) -> None:
    print(f"beckon: {text}", file=sys.stderr)


def _mendable(error: BaseException) -> str | None:
    """The text of the first error in the chain of causes that is about the world, not about our code."""
    from confluent_kafka import KafkaException
    from redis import RedisError

    from connectors.embedded_redis import EmbeddedRedisError
    from connectors.log import LogError, LogUnavailable
    from connectors.publisher import LostState
    from connectors.traces import CannotTrace
    from flows.fitting.history import CannotFit
    from flows.intake import BadInput
    from flows.profiles import NoState
    from flows.rebuild import CannotRebuild
    from flows.startup import NotAsBefore
    from state.ledger import LedgerError
    from state.redis_ledger import StoreUnavailable

    ours = (
        EmbeddedRedisError,
        LogError,
        BadInput,
        NoState,
        NotAsBefore,
        CannotFit,
        CannotRebuild,
        LedgerError,
        StoreUnavailable,
        LogUnavailable,
        LostState,
        CannotTrace,
    )
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ours):
            return str(seen)
        if isinstance(seen, KafkaException):
            return f"Kafka: {seen.args[0].str() if seen.args else seen}"
        if isinstance(seen, RedisError):
            return f"Redis: {seen}"
        if isinstance(seen, OSError):
            return (
                seen.strerror + (f": {seen.filename}" if seen.filename else "")
                if seen.strerror
                else str(seen)
            )
        seen = seen.__cause__
    return None
