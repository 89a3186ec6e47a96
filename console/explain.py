"""Why was a user told something, or not? The command `explain`, and its answer in words."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from console.options import FAILED, WRONG_USAGE, Config, Overrides, moment, say_error, settings_of, told
from state.calendar import millis

if TYPE_CHECKING:
    from triggers.explanation import Explanation, OfRule

_FRACTION = re.compile(r"(:00)?(\.[0-9]+)?Z\Z")
EXAMPLE = "Example: beckon explain u1 --rule cart_abandoned"


def explain(
    user: Annotated[
        str, typer.Argument(metavar="USER", help="The user's id, as events have it.", show_default=False)
    ],
    config: Config = None,
    overrides: Overrides = None,
    rule: Annotated[
        str | None, typer.Option("--rule", metavar="RULE", help="All about this rule, by its name.")
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            parser=moment,
            metavar="TIME",
            help="RFC 3339; later than now: if nothing else happens. Earlier: what was decided by then.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")] = False,
) -> None:
    """Say why a user was told something or not, what waits, and what would come next."""
    settings = settings_of(config, overrides)
    with told():
        import msgspec

        from flows.explain import UnknownRule, read_explanation

        try:
            found = read_explanation(settings, user, at=None if at is None else millis(at), rule=rule)
        except UnknownRule as error:
            say_error(str(error))
            raise typer.Exit(WRONG_USAGE) from None
    if found is None:
        print(f"beckon: no user {user!r} is known", file=sys.stderr)
        raise typer.Exit(FAILED)
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    for line in lines_of(found) if rule is None else lines_of_one(found):
        print(line)


def lines_of(found: Explanation) -> Iterator[str]:
    """All rules: what was decided, what waits, what would come, what stands in the way."""
    yield from _heading(found)
    of_past = [(each.at, each.text) for rule in found.rules for each in rule.decisions]
    yield from _part("decided, the latest first", [text for _, text in sorted(of_past, reverse=True)])
    yield from _part("waiting", [f"{rule.rule} {each}" for rule in found.rules for each in rule.waiting])
    to_come = [(each.at, each.text) for rule in found.rules for each in rule.foreseen]
    yield from _part("to come, if nothing else happens", [text for _, text in sorted(to_come)])
    yield from _part("now held back", list(_held_back(found)))
    idle = [f"{rule.rule}: {_missing(rule)}" for rule in found.rules if not rule.foreseen and rule.enabled]
    yield from _part("missing", idle)
    if found.silent:
        yield "nothing to tell of (--rule NAME says what is missing)"
        yield f"  {', '.join(found.silent)}"
    if found.off:
        yield f"switched off: {', '.join(found.off)}"


def lines_of_one(found: Explanation) -> Iterator[str]:
    yield from _heading(found)
    for rule in found.rules:
        yield f"{rule.rule}, version {rule.version}: {rule.question}"
        if not rule.enabled:
            yield f"  it is switched off: rules.{rule.rule}.enabled"
        nothing = [] if rule.earlier else ["nothing that is remembered"]
        yield from _part("decided, the latest first", [each.text for each in rule.decisions] or nothing)
        yield from _part("decided earlier, how is no longer remembered", rule.earlier)
        yield from _part("waiting", rule.waiting)
        if rule.enabled:
            conditions = [
                f"{'yes' if each.met else 'no ':<3}  {each.text}"
                + (f" (at {_plain(each.at)})" if each.at else "")
                for each in rule.conditions
            ]
            if all(each.met for each in rule.conditions):
                asked_at = "" if rule.asked_at is None else f", or {_plain(rule.asked_at)}"
                conditions.append(f"all are met: it speaks when it is asked, with an event{asked_at}")
            yield from _part("its conditions", conditions)
            by_event = ["nothing by time alone: what is missing must come with an event"]
            yield from _part("to come, if nothing else happens", [e.text for e in rule.foreseen] or by_event)
            yield from _part("now held back", [each.text for each in rule.refusals] or ["by nothing"])


def _heading(found: Explanation) -> Iterator[str]:
    yield f"user {found.user_id} as of {_plain(found.as_of)}; all times are {found.zone}"
    for note in found.notes:
        yield f"  note: {note}"


def _part(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield title
    for line in lines:
        yield f"  {line}"


def _missing(rule: OfRule) -> str:
    return "; ".join(each.text for each in rule.conditions if not each.met) or "nothing"


def _held_back(found: Explanation) -> Iterator[str]:
    """Each gate's answer once, with the rules that it concerns."""
    rules: dict[str, list[str]] = {}
    for rule in found.rules:
        for refusal in rule.refusals:
            rules.setdefault(refusal.text, []).append(rule.rule)
    for text, names in rules.items():
        yield f"{', '.join(names)}: {text}"


def _plain(iso: str) -> str:
    """As in the sentences: `2026-11-26 10:03Z`."""
    return _FRACTION.sub("Z", iso).replace("T", " ")
