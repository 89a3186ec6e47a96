"""Which command finds a shop's own parameters? `beckon fit`: options in, the work of flows/fitting/, words out."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from console.options import (
    FAILED,
    WRONG_USAGE,
    AsJson,
    Config,
    Overrides,
    Until,
    duration,
    say_error,
    say_json,
    settings_of,
    told,
)
from state.calendar import Duration, millis

EXAMPLE = "Example: beckon fit history/ --out fitted.yaml"


def fit(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", dir_okay=False, help="For predict.file.")],
    history: Annotated[
        Path | None,
        typer.Argument(
            metavar="[HISTORY]",
            exists=True,
            help="A file log with the orders, or a CSV of customer,date,amount. Else the orders topic in Kafka.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    overrides: Overrides = None,
    horizon: Annotated[
        Duration | None,
        typer.Option("--horizon", parser=duration, metavar="DURATION", help="Else rules.churn_risk.horizon."),
    ] = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Fit the models of purchase times, spend and churn to a history; refuse, and say why, what does not fit."""
    settings = settings_of(config, overrides)
    if find_spec("scipy") is None:
        say_error(
            "fit needs scipy, which the service does without: install the extra `fit` of pyproject.toml"
        )
        raise typer.Exit(FAILED)
    if history is None and settings.source.kind != "kafka":
        say_error("name a HISTORY: there is no Kafka to read it from, as source.kind is files")
        raise typer.Exit(WRONG_USAGE)
    with told():
        from flows.fitting import fit as work

        chosen = settings.rules["churn_risk"].horizon if horizon is None else horizon
        ends = None if until is None else millis(until)
        said = []
        for line in work.run(settings, history, out, chosen, ends, version("beckon")):
            said.append(line)
            if not as_json:
                print(line, flush=True)
        if as_json:
            say_json({"file": str(out), "said": said})
