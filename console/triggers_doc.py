"""How is docs/triggers.md made? From catalogue and YAML: `python -m console.triggers_doc > docs/triggers.md`."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from inspect import getdoc, getmodule
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
import yaml
from msgspec import Struct

import config
from config.convert import expected
from state import events
from triggers.catalog import RULES
from triggers.trigger import Reason, Rule, RuleParams

INTRODUCTION: Final = """\
# Triggers

Made from `triggers/catalog.py` and `config/triggers.yaml` by `python -m console.triggers_doc > docs/triggers.md`.

A trigger is a CloudEvents 1.0 JSON object (README, "For a marketing system"). Its `type` is
`beckon.trigger.<rule>.v<version>`. This page says when each rule speaks, what can be set
(`rules.<rule>.<parameter>`), and what `data` holds. A duration is a number with its unit: `30s`, `45m`, `1h`,
`30d`, `8w`; money is integer minor units. S0..S4 name the business documents a default comes from, "science" the
study of methods; without a source it is our own choice.
"""

DATA_FIELDS: Final[Mapping[str, str]] = {
    "rule": "name of the rule",
    "rule_version": "its version; part of the trigger's id",
    "user_id": "whom it is about; also `subject` and the Kafka key",
    "step": "1 for the first message of an episode, 2 for the second, ...",
    "anchor": "what opened the episode, mostly an `event_id`",
    "reason": "why, in words for a person",
    "channel": "the channel chosen: the user's preferred one that the rule and consent allow, else the next",
    "offer": "name of the offer to make, or null",
    "variant": "always null: there are no experiments yet",
    "skus": "a list of `sku`, `quantity` (null unless in the cart), `price`, `stock_left` (null where not known)",
    "profile": "`segment`, `group`, `stage`, `tier` of the customer as of the decision; null before the first order",
}

NOT_YET: Final = """\
`priority` and `need` are read by nothing yet: candidates of one user do not compete, and offers are not compared.
"""

REASONS: Final = """\
## Why a candidate is not sent

Each candidate, sent or not, is one record on the decision topic. `reason` of a suppressed or deferred one is one of:
"""

_STANZAS: Final = Path(config.__file__).parent / "triggers.yaml"
_INTERNAL: Final = "letters"


def triggers_markdown() -> str:
    text = _STANZAS.read_text()
    stanzas, comments = yaml.safe_load(text), _comments(text)
    common = msgspec.structs.fields(RuleParams)
    meanings = _common_meanings(text)
    parts = [
        INTRODUCTION,
        _table(("rule", "asks"), [(f"[`{r.name}`](#{r.name})", r.question) for r in RULES]),
    ]
    parts += ["## Parameters that every rule has\n"]
    rows = [(f"`{field.name}`", _kind(field.type), meanings[field.name]) for field in common]
    parts += [_table(("parameter", "type", "meaning"), rows), NOT_YET]
    parts += ["## Fields that every trigger has in `data`\n"]
    parts += [_table(("field", "meaning"), [(f"`{name}`", meaning) for name, meaning in DATA_FIELDS.items()])]
    parts += [_rule(rule, stanzas[rule.name], comments) for rule in RULES]
    return "\n".join(parts) + "\n" + REASONS + "\n" + ", ".join(f"`{reason}`" for reason in Reason) + ".\n"


def _rule(rule: Rule, stanza: Mapping[str, Any], comments: Mapping[tuple[str, str], str]) -> str:
    module = getmodule(rule.evaluate)
    story = (getdoc(module) or "").partition("\n\n")[2]
    wakes = "" if rule.wake_at is None else "; and when time has passed"
    fields = sorted(msgspec.structs.fields(rule.params), key=lambda f: f.name in RuleParams.__struct_fields__)
    rows = [
        (f"`{f.name}`", _kind(f.type), f"`{_shown(stanza[f.name])}`", comments.get((rule.name, f.name), ""))
        for f in fields
    ]
    parts = [
        f"## {rule.name}\n",
        f"{rule.question} Version {rule.version}.\n",
        f"{story}\n",
        f"Asked after {_listened(rule)}{wakes}.\n",
        _table(("parameter", "type", "default", "note"), rows),
    ]
    if rule.fields:
        parts += [
            _table(("own field", "meaning"), [(f"`{name}`", text) for name, text in rule.fields.items()])
        ]
    else:
        parts += ["No fields of its own.\n"]
    return "\n".join(parts)


def _listened(rule: Rule) -> str:
    """The event types of a rule; a topic of which it hears everything by its name."""
    if not isinstance(rule.on, tuple):
        return "the events that its parameters name"
    words, left = [], list(rule.on)
    for topic, union in events.TOPICS.items():
        kinds = get_args(union) or (union,)
        heard = [kind for kind in kinds if kind in left]
        if topic == _INTERNAL and heard:
            words.append("a fall or return of stock that `stock_changed` brings")
        elif len(heard) == len(kinds):
            words.append(f"every event of topic `{topic}`")
        else:
            words += [f"`{kind.__struct_config__.tag}`" for kind in heard]
    return ", ".join(words)


def _comments(text: str) -> dict[tuple[str, str], str]:
    """The comment behind each parameter, by (rule, parameter); a line of comment alone goes on with the last one."""
    found: dict[tuple[str, str], str] = {}
    rule = key = ""
    for line in text.splitlines():
        if opening := re.match(r"(\w+):", line):
            rule, key = opening[1], ""
        elif parameter := re.match(r"  (\w+):", line):
            key = parameter[1]
            _, mark, comment = line.partition(" # ")
            found[rule, key] = comment if mark else ""
        elif key and (more := re.match(r" +# ?(.*)", line)):
            found[rule, key] = f"{found[rule, key]} {more[1]}".strip()
    return found


def _common_meanings(text: str) -> dict[str, str]:
    """What the head of the file says of the parameters that every stanza has."""
    head = text.partition("# Every stanza has:\n")[2].partition("\n\n")[0]
    return dict(re.findall(r"^#   (\w+) +(.*)$", head, re.MULTILINE))


def _kind(annotation: Any) -> str:
    """A type in words; where it is a list or a small section, of what."""
    args = get_args(annotation)
    if NoneType in args:
        return f"{_kind(next(arg for arg in args if arg is not NoneType))} or null"
    if get_origin(annotation) is tuple:
        return f"list of {re.sub('^list', 'lists', _kind(args[0]))}"
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{arg}`" for arg in args)
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return ", ".join(f"`{f.name}` {_kind(f.type)}" for f in msgspec.structs.fields(annotation))
    return expected(annotation).removeprefix("a ")


def _shown(value: Any) -> str:
    """A default on one line, as YAML has it."""
    return str(yaml.safe_dump(value, default_flow_style=True, width=10_000)).removesuffix("...\n").strip()


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(triggers_markdown())
