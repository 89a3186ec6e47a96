"""Where do log lines go, and in which shape? To stderr: text at a terminal, else JSON, one object a line.

Standard output stays for what a command was asked for. Lines of libraries that use `logging`, and Python's
warnings, take the same way. Never log a payload, a key or a user id: more people read logs than profiles.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import Processor

from connectors import metrics

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "text"]

_LEVELS = ("debug", "info", "warning", "error", "critical")


def configure(level: Level, format: Format, worker: str | None = None) -> None:  # noqa: A002 - as the setting is called
    """Set up all logging of this process; again to change it.

    `worker`: which of the processes that share this stream; each of its lines says so.
    """
    is_text = format == "text" or (format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        _count,
        *([] if worker is None else [_of_worker(int(worker))]),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a module's logger is made before the command line is read
    )
    out = _Stderr()
    out.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_as_text() if is_text else _as_json()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [out]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of one part of beckon: `get("desk").info("shard opened", shard=3)`."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def _as_text() -> list[Processor]:
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="ts")]


def _as_json() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("msg"),
        _first_things_first,
        structlog.processors.JSONRenderer(default=str, sort_keys=False),
    ]


def _first_things_first(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: event[name] for name in ("ts", "level", "logger", "msg") if name in event} | dict(event)


def _count(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    level = str(event.get("level", "info"))
    metrics.LOG_MESSAGES.labels(level=level if level in _LEVELS else "other").inc()
    return event


def _of_worker(number: int) -> Processor:
    return lambda _, __, event: {"worker": number, **event}


class _Stderr(logging.StreamHandler[TextIO]):
    """Whatever `sys.stderr` is at the moment: the live table of the terminal puts itself in between."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        raise AttributeError("the stream is sys.stderr")
