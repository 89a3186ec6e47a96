"""Which commands look for what is wrong? `check` before the service runs, `doctor` while it does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from console.options import FAILED, AsJson, AsUser, Config, Overrides, say_json, settings_of, told

if TYPE_CHECKING:
    from console.check import Finding

CHECK_EXAMPLE: Final = "Example: beckon check --config shop.yaml"
DOCTOR_EXAMPLE: Final = "Example: beckon doctor --config shop.yaml"


def check(
    config: Config = None,
    overrides: Overrides = None,
    settings_shown: Annotated[
        bool, typer.Option("--settings", help="Also print all settings in force; secrets are hidden.")
    ] = False,
    user: AsUser = "flow",
    as_json: AsJson = False,
) -> None:
    """Say whether configuration, Redis, brokers and topics are as `run` needs them; if not, what helps.

    With `--as reader` or `--as service`: whether this login may do what reading, or customer service, needs.
    """
    settings = settings_of(config, overrides)
    from config.load import describe
    from console.check import findings_of

    if settings_shown:
        print(describe(settings))
    with told():
        problems = _told_of(findings_of(settings, user), as_json=as_json)
    raise typer.Exit(FAILED if problems else 0)


def doctor(config: Config = None, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Look at everything: what `check` looks at, versions, clock, lag, outbox, dead letters, the running process."""
    settings = settings_of(config, overrides)
    from console.doctor import examine

    with told():
        problems = _told_of(examine(settings), as_json=as_json)
    if not as_json:
        print(f"{problems} problem{'' if problems == 1 else 's'}" if problems else "all is well")
    raise typer.Exit(FAILED if problems else 0)


def _told_of(findings: Iterable[Finding], *, as_json: bool) -> int:
    """Each as it is found; how many are problems."""
    problems = 0
    for finding in findings:
        if as_json:
            say_json(finding)
        else:
            print(finding, flush=True)
        problems += not finding.good
    return problems
