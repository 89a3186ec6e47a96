"""Which commands does `beckon` have? Each one thin: options in, the work of flows/, words out."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from console import dlq, examination, explain, fit, pseudonym
from console.options import (
    FAILED,
    WORKER,
    WRONG_USAGE,
    AsJson,
    Config,
    Overrides,
    Until,
    arguments_of,
    duration,
    say_error,
    say_json,
    settings_of,
    told,
)
from console.progress import progress_of
from console.report import demo_lines
from state.calendar import Duration, millis

app = typer.Typer(
    name="beckon",
    help="Real-time customer triggers for e-commerce: events in, user state, messages worth sending out.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its traces print local variables, user data and secrets among them
    rich_markup_mode="rich",
)
topics_app = typer.Typer(no_args_is_help=True, help="The topics that beckon reads and writes.")
app.add_typer(topics_app, name="topics")
app.add_typer(dlq.app, name="dlq")

For = Annotated[
    Duration | None,
    typer.Option("--for", parser=duration, metavar="DURATION", help="End after this time, as 20s or 5m."),
]
User = Annotated[
    str, typer.Argument(metavar="USER", help="The user's id, as events have it.", show_default=False)
]


def _version(asked: bool) -> None:
    if asked:
        print(f"beckon {version('beckon')}")
        raise typer.Exit


@app.callback()
def _beckon(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None: ...


@app.command(epilog="Example: beckon run --for 20s --set rules.cart_abandoned.delay=30m")
def run(
    config: Config = None,
    overrides: Overrides = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes on this machine.")] = 1,
    duration_ms: For = None,
    until_caught_up: Annotated[
        bool,
        typer.Option("--until-caught-up", help="End when every input is read and all due timers have fired."),
    ] = False,
    shown: Annotated[
        bool | None,
        typer.Option(
            "--show/--quiet",
            help="Print each trigger, user id included. Unasked: on a terminal and with the demo shop only.",
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option("--speed", metavar="TIMES", help="How fast the demo shop lives its past; demo.speed."),
    ] = None,
) -> None:
    """Run the service until it is stopped; on its own Redis, file log and demo shop unless configured."""
    if speed is not None:
        overrides = [*(overrides or ()), f"demo.speed={speed}"]
    settings = settings_of(config, overrides)
    if workers > 1 and settings.source.kind == "files":
        say_error("--workers needs Kafka: a file has one writer, so the file log serves one process")
        raise typer.Exit(WRONG_USAGE)
    with told():
        from config.load import load
        from connectors import metrics
        from console.live import Display, console_for
        from console.report import end_lines, start_lines
        from flows import service

        metrics.BUILD_INFO.info({"version": version("beckon"), "python": platform.python_version()})
        alone, is_child = workers == 1, WORKER in os.environ
        counts = alone and not is_child  # children are counted at their own /metrics
        if not is_child:
            _print(start_lines(settings, workers))
        console = console_for(shown=shown, is_demo=settings.demo.enabled) if counts else None
        with Display(console) as display:
            code = service.run(
                settings,
                workers=workers,
                duration_ms=duration_ms,
                until_caught_up=until_caught_up,
                on_decision=display.show if counts else None,
                config_args=arguments_of(config, overrides),
                config=config,
                read=lambda: load(config, os.environ, overrides or ()),
            )
        if counts:
            _print(end_lines(settings, display.tally))
    raise typer.Exit(code)


app.command(epilog=examination.CHECK_EXAMPLE)(examination.check)
app.command(epilog=examination.DOCTOR_EXAMPLE)(examination.doctor)


@app.command(epilog="Example: beckon demo --rate 50 --for 10m --config shop.yaml")
def demo(
    config: Config = None,
    overrides: Overrides = None,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.001, metavar="N", help="Events per second.")
    ] = None,
    duration_ms: For = None,
    as_json: AsJson = False,
) -> None:
    """Write a made-up shop's events into the configured inputs; at a high rate, a load test."""
    settings = settings_of(config, overrides)
    with told():
        from flows import shop

        done = shop.run(
            settings, rate, duration_ms, _say_once("" if as_json else "open: the past is written")
        )
    if as_json:
        say_json(done)
    else:
        _print(demo_lines(done))


@app.command(epilog="Example: beckon replay history/ out/ --set policy.enabled=false")
def replay(
    in_dir: Annotated[
        Path,
        typer.Argument(metavar="IN_DIR", exists=True, file_okay=False, help="Input topics as <topic>.jsonl."),
    ],
    out_dir: Annotated[
        Path, typer.Argument(metavar="OUT_DIR", file_okay=False, help="Where the outputs are written.")
    ],
    config: Config = None,
    overrides: Overrides = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Run history through the same code, event time as the only clock: same input, same output, no server."""
    settings = settings_of(config, overrides)
    with told(), progress_of("replaying") as progress:
        from console.report import replayed
        from flows import replay as work

        until_ts = None if until is None else millis(until)
        done = work.run(settings, in_dir, out_dir, until_ts=until_ts, progress=progress)
    if as_json:
        say_json(done)
    else:
        print(f"{replayed(done)}; written into {out_dir}")


@app.command(epilog="Example: beckon profile u1 --json")
def profile(
    user: User,
    config: Config = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Say what is known about one user."""
    settings = settings_of(config, overrides)
    with told():
        from console.customer import profile_lines
        from flows import profiles

        found = profiles.read_profile(settings, user)
    if found is None:
        print(f"beckon: no user {user!r} is known", file=sys.stderr)
        raise typer.Exit(FAILED)
    if as_json:
        say_json(found)
    else:
        _print(profile_lines(found, settings.input.currency))


app.command(epilog=explain.EXAMPLE)(explain.explain)
app.command(epilog=pseudonym.EXAMPLE)(pseudonym.pseudonym)


@app.command(epilog="Example: beckon erase u1 --yes")
def erase(
    user: User,
    config: Config = None,
    overrides: Overrides = None,
    confirmed: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget one user for good: state, timers, unsent triggers; later events of this user are ignored."""
    settings = settings_of(config, overrides)
    if not confirmed and sys.stdin.isatty():
        typer.confirm(f"Forget everything about {user!r}? This cannot be undone.", abort=True)
    with told():
        from flows import erasure

        event_id = erasure.request(settings, user)
    if as_json:
        say_json({"requested": True, "event_id": event_id})
    else:
        print("erasure requested; it happens when the running service reads the request")


@app.command(epilog="Example: beckon rebuild --config shop.yaml")
def rebuild(
    config: Config = None,
    overrides: Overrides = None,
    what_is_left: Annotated[
        bool,
        typer.Option("--what-is-left", help="Also where topics no longer reach back to their beginning."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """After a total loss of Redis: let the next `run` build the state again from the topics, saying nothing twice."""
    settings = settings_of(config, overrides)
    with told(), progress_of("looking at the topics") as progress:
        from console.report import rebuild_lines
        from flows import service

        found = service.rebuild(settings, what_is_left=what_is_left, progress=progress)
    if as_json:
        say_json(found)
    else:
        _print(rebuild_lines(found))


app.command(epilog=fit.EXAMPLE)(fit.fit)


@topics_app.command(epilog="Example: beckon topics create --config shop.yaml")
def create(config: Config = None, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Create the topics that are missing; say what is there and what differs."""
    settings = settings_of(config, overrides)
    with told():
        from flows import topics

        for each in topics.create(settings):
            if as_json:
                say_json(each)
            else:
                print(
                    f"{each.topic}: {'created' if each.created else 'exists'} with {each.partitions} partitions"
                )
        wrong = topics.problems(settings, {})
    for problem in wrong:
        print(f"beckon: {problem}", file=sys.stderr)
    raise typer.Exit(FAILED if wrong else 0)


def _say_once(line: str) -> Callable[[], None]:
    said = iter((line,) if line else ())
    return lambda: _print(said)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def main() -> None:
    """The entry point of `beckon`."""
    app()


if __name__ == "__main__":
    main()
