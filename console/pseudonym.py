"""Which command says by which pseudonym a person is known? `beckon pseudonym`, for systems that know people by id."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from console.options import (
    FAILED,
    WRONG_USAGE,
    AsJson,
    Config,
    Overrides,
    say_error,
    say_json,
    settings_of,
    told,
)
from state.values import MAX_ID_LENGTH

EXAMPLE: Final = "Example: beckon pseudonym u1 --config shop.yaml"


def pseudonym(
    users: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[USER]...",
            help="Ids, as events have them; none: each line of standard input.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Say by which pseudonym a person is known; of a pseudonym, itself. Asks no server: the key is enough."""
    settings = settings_of(config, overrides)
    with told():
        from flows.privacy import pseudonyms_of

        pseudonyms = pseudonyms_of(settings)
    if pseudonyms is None:
        say_error("privacy.pseudonymise is false: people are known by their ids")
        raise typer.Exit(WRONG_USAGE)
    unusable = 0
    for person in users or (line.rstrip("\r\n") for line in sys.stdin):
        name = pseudonyms.meant(person) if 0 < len(person) <= MAX_ID_LENGTH else None
        unusable += name is None
        if as_json:
            say_json({"id": person, "pseudonym": name})
        else:
            print(name or "")
    if unusable:
        say_error(f"{unusable} ids have no character, or more than {MAX_ID_LENGTH}: no event has such a one")
        raise typer.Exit(FAILED)
