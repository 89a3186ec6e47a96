"""What did the operator choose? All layers as one Settings, or every error at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from config.access_checks import secret_problems
from config.checks import notes_of, problems_of
from config.convert import INVALID, NO_SUCH_SETTING, convert, paths_of
from config.layers import (
    Branch,
    Leaf,
    Tree,
    has_password,
    is_secret,
    look_up,
    merge,
    read_environ,
    read_file,
    read_overrides,
    split,
)
from config.problem import ConfigError, Problem
from config.settings import Settings
from state.calendar import Days, Duration
from state.folding import FoldParams
from triggers.catalog import RULES
from triggers.plan import Plan
from triggers.policy.catalog import GATES
from triggers.rules import replenishment
from triggers.stanzas import NONE_KEPT, Stanzas

__all__ = [
    "ConfigError",
    "Problem",
    "describe",
    "fold_of",
    "load",
    "notes_of",
    "plan_of",
    "redacted_url",
    "shown",
]

_HERE = Path(__file__).parent
_HIDDEN = "(hidden)"

# Settings as they are written: `rules` has the Params of every rule of the catalogue under its name.
_Rules = msgspec.defstruct("_Rules", [(rule.name, rule.params) for rule in RULES], frozen=True, kw_only=True)
_Written = msgspec.defstruct(
    "_Written",
    [(f.name, _Rules if f.name == "rules" else f.type) for f in msgspec.structs.fields(Settings)],
    frozen=True,
    kw_only=True,
)


def load(path: Path | None, environ: Mapping[str, str], overrides: Sequence[str]) -> Settings:
    """Settings from the defaults, `predict.file`, `path`, `BECKON__*` of `environ`, `section.key=value` of `overrides`.

    Raise ConfigError with all problems, each with its dotted path and where it was written.
    """
    problems: list[Problem] = []
    defaults = _defaults(problems)
    chosen = Branch({}, "") if path is None else read_file(path, problems)
    chosen = merge(chosen, read_environ(environ, problems))
    chosen = merge(chosen, read_overrides(overrides, problems))
    tree = merge(merge(defaults, _fitted(chosen, problems)), chosen)
    tree = _settle(tree, defaults)
    problems.extend(secret_problems(tree))
    written = convert(_Written, tree, "", problems)
    if problems:
        # Checks of several values together need all of them: what is wrong stands at its default meanwhile.
        written = convert(_Written, _with_defaults(tree, defaults, problems), "", [])
    if written is not INVALID:
        settings = _settings(written)
        known = {problem.path for problem in problems}
        problems.extend(
            msgspec.structs.replace(problem, origin=_origin(tree, problem.path))
            for problem in problems_of(settings)
            if problem.path not in known
        )
        if not problems:
            return settings
    raise ConfigError([_with_elsewhere(problem) for problem in problems])


def plan_of(settings: Settings, stanzas: Stanzas = NONE_KEPT) -> Plan:
    """Which rules and gates are on, as the triggers know it; `stanzas` are those that the rules have had."""
    gates = {gate.name: getattr(settings.policy, gate.name) for gate in GATES}
    on = settings.policy.enabled
    policy = {**gates, "channel": settings.policy.channel}
    return Plan(fold_of(settings), settings.rules, policy, policy_enabled=on, stanzas=stanzas)


def fold_of(settings: Settings) -> FoldParams:
    """What the folds, the profile and the rules take from the settings beside their own."""
    return FoldParams(
        count_on=settings.orders.count_on,
        days=Days(settings.time.zone),
        lifecycle=settings.lifecycle,
        membership=settings.membership,
        segments=settings.rfm,
        predict=settings.predict,
        tags=settings.tags,
        cycles=settings.rules[replenishment.NAME],
        habits=settings.policy.channel.habits,
        habit_within=settings.policy.channel.habit_within,
    )


def describe(settings: Settings) -> str:
    """The settings in force as YAML that may be shown to anybody: secrets are hidden."""
    text: str = yaml.safe_dump(shown(settings, ""), sort_keys=False, allow_unicode=True)
    return text


def shown(value: Any, path: str) -> Any:
    """What is set at a path in plain values that may be shown to anybody."""
    if is_secret(path) and value:
        return _HIDDEN
    if isinstance(value, Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, Mapping):
        return {key: shown(each, f"{path}.{key}" if path else key) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [shown(each, path) for each in value]
    if isinstance(value, Duration):
        return str(value)
    return redacted_url(value) if path == "redis.url" else value


def redacted_url(url: str) -> str:
    """An address without its password."""
    if not has_password(url):
        return url
    return re.sub(r"(password=)[^&#]*", rf"\1{_HIDDEN}", re.sub(r"//[^/]*@", f"//{_HIDDEN}@", url))


def _defaults(problems: list[Problem]) -> Branch:
    rules = read_file(_HERE / "triggers.yaml", problems)
    return merge(read_file(_HERE / "default.yaml", problems), Branch({"rules": rules}, rules.origin))


def _fitted(chosen: Branch, problems: list[Problem]) -> Branch:
    """The parameters in the file that `predict.file` names; what is written beside it wins."""
    name = _text(chosen, "predict.file")
    if not name:
        return Branch({}, "")
    found: list[Problem] = []
    written = read_file(Path(name), found).entries.get("predict")
    if written is None and not found:
        found.append(Problem("", "has no section predict", "name a file that `beckon fit` wrote", name))
    problems.extend(msgspec.structs.replace(each, path="predict.file") for each in found)
    return Branch({} if written is None else {"predict": written}, name)


def _settle(tree: Branch, defaults: Branch) -> Branch:
    """What `auto` means, once the rest is known.

    The sink is of the source's kind. The demo shop writes into the built-in log, never into one that somebody
    named: its made-up people must not mix with real ones.
    """
    source, directory = _text(tree, "source.kind"), _text(tree, "files.directory")
    is_built_in = source == "files" and directory == _text(defaults, "files.directory")
    meant = {
        "sink.kind": "kafka" if source == "kafka" else "files",
        "demo.enabled": "true" if is_built_in else "false",
    }
    for path, text in meant.items():
        if _text(tree, path) == "auto":
            tree = _put(tree, split(path), Leaf(text, _origin(tree, path)))
    return tree


def _text(tree: Branch, path: str) -> str | None:
    found = look_up(tree, path)
    return found.text if isinstance(found, Leaf) else None


def _with_defaults(tree: Branch, defaults: Branch, problems: Iterable[Problem]) -> Branch:
    """The tree with the default where a problem was found; what has none, as it was added, is taken out."""
    for problem in problems:
        path = problem.path.partition("[")[0]
        default = look_up(defaults, path) if path else None
        if default is not None:
            tree = _put(tree, split(path), default)
        elif path:
            tree = _without(tree, defaults, split(path))
    return tree


def _without(tree: Branch, defaults: Tree | None, path: Sequence[str]) -> Branch:
    """The tree without the first part of `path` that the defaults do not know."""
    key, known = path[0], defaults.entries.get(path[0]) if isinstance(defaults, Branch) else None
    below = tree.entries.get(key)
    if known is None:
        return Branch({k: entry for k, entry in tree.entries.items() if k != key}, tree.origin)
    if len(path) == 1 or not isinstance(below, Branch):
        return tree
    return Branch({**tree.entries, key: _without(below, known, path[1:])}, tree.origin)


def _put(tree: Branch, path: Sequence[str], value: Any) -> Branch:
    key, rest = path[0], path[1:]
    below = tree.entries.get(key)
    if rest and isinstance(below, Branch):
        value = _put(below, rest, value)
    elif rest:
        return tree
    return Branch({**tree.entries, key: value}, tree.origin)


def _settings(written: Any) -> Settings:
    values = msgspec.structs.asdict(written)
    return Settings(**{**values, "rules": msgspec.structs.asdict(values["rules"])})


def _origin(tree: Branch, path: str) -> str:
    found = look_up(tree, path)
    return "" if found is None else found.origin


def _with_elsewhere(problem: Problem) -> Problem:
    """A setting written in the wrong section is named with the right one."""
    if problem.message != NO_SUCH_SETTING:
        return problem
    key = problem.path.rpartition(".")[2]
    places = [path for path in paths_of(_Written) if path.rpartition(".")[2] == key]
    known = [path for path in places if not path.startswith("rules.")] or places
    if len(known) != 1:
        return problem
    return msgspec.structs.replace(problem, suggestion=f"did you mean {known[0]}?")
