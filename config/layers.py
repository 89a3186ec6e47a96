"""What did the operator write, and where? Files, environment, options: trees of text that know their origin.

Text stays text: the type of a setting decides what it means (config/convert.py), so `21:30` is a time of day
and `no` a word, whatever YAML 1.1 thinks of them. `null` and `~`, unquoted, are the exception.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from msgspec import Struct

from config.problem import Problem

PREFIX = "BECKON__"
DEPTH_LIMIT = 12  # no setting is half as deep; an alias that contains itself is endless

_OPTIONS = "kafka.options."  # below it a key has dots of its own, as librdkafka writes them
_SECRETS = frozenset(("redis.password", "http.token", "privacy.key"))
_SECRET_OPTION = re.compile(r"password|passphrase|secret|key\.pem|oauthbearer\.config")
_NULLS = ("null", "Null", "NULL", "~")
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Leaf(Struct, frozen=True):
    """`text` None: null. Blank: nothing was written, which an empty section is too."""

    text: str | None
    origin: str


class Listing(Struct, frozen=True):
    items: list[Tree]
    origin: str


class Branch(Struct, frozen=True):
    entries: dict[str, Tree]
    origin: str


Tree = Leaf | Listing | Branch


def read_file(path: Path, problems: list[Problem]) -> Branch:
    """The tree of one YAML file; empty where it cannot be read."""
    nothing = Branch({}, path.name)
    try:
        tree = _parse(path.read_text(encoding="utf-8"), path.name, problems, numbered=True)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        problems.append(Problem("", f"cannot read the configuration file {path}: {reason}"))
        return nothing
    if isinstance(tree, Branch):
        return tree
    if tree is not None and tree != Leaf("", tree.origin):
        problems.append(Problem("", "a configuration file is sections of `key: value`", origin=tree.origin))
    return nothing


def read_environ(environ: Mapping[str, str], problems: list[Problem]) -> Branch:
    """`BECKON__SECTION__KEY=value`, or `BECKON__SECTION__KEY_FILE=path` of a file that holds the value."""
    root = Branch({}, "environment")
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        key, text = name, environ[name]
        if name.endswith("_FILE") and not name.endswith("__FILE"):  # predict.file is a setting of its own
            key = name.removesuffix("_FILE")
            if key in environ:
                problems.append(Problem(_path_of(key), f"{key} and {name} are both set", "keep one of them"))
                continue
            try:
                text = Path(text).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError):
                problems.append(Problem(_path_of(key), "the file cannot be read", origin=name))
                continue
        path = _path_of(key)
        # A password is what it is, however much it looks like YAML.
        plain = name != key or is_secret(path)
        tree = Leaf(text, name) if plain else _parse(text, name, problems)
        _put(root, path, tree, name, problems)
    return root


def read_overrides(overrides: Sequence[str], problems: list[Problem]) -> Branch:
    """`section.key=value` as given to `--set`; the value is YAML, so lists and null can be written."""
    root = Branch({}, "--set")
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals or not path.strip():
            problems.append(
                Problem(path.strip(), "--set has no value", "write --set section.key=value", "--set")
            )
            continue
        _put(root, path.strip(), _parse(text, "--set", problems), "--set", problems)
    return root


def merge(under: Branch, over: Branch) -> Branch:
    """`over` wins key by key, a list as a whole; a section with a `kind` may be given by its kind alone."""
    entries = dict(under.entries)
    for key, tree in over.entries.items():
        known = entries.get(key)
        if not isinstance(known, Branch):
            entries[key] = tree
        elif isinstance(tree, Branch):
            entries[key] = merge(known, tree)
        elif isinstance(tree, Leaf) and tree.text and "kind" in known.entries:
            entries[key] = merge(known, Branch({"kind": tree}, tree.origin))
        elif not (isinstance(tree, Leaf) and tree.text == ""):  # every line of the section commented out
            entries[key] = tree
    return Branch(entries, over.origin)


def look_up(tree: Tree, path: str) -> Tree | None:
    """What is written at a dotted path."""
    found: Tree | None = tree
    for key in split(path):
        found = found.entries.get(key) if isinstance(found, Branch) else None
    return found


def leaves(tree: Tree, path: str = "") -> Iterator[tuple[str, Leaf]]:
    if isinstance(tree, Leaf):
        yield path, tree
    elif isinstance(tree, Listing):
        for index, item in enumerate(tree.items):
            yield from leaves(item, f"{path}[{index}]")
    else:
        for key, entry in tree.entries.items():
            yield from leaves(entry, f"{path}.{key}" if path else key)


def split(path: str) -> tuple[str, ...]:
    if path.startswith(_OPTIONS):
        return (*_OPTIONS.rstrip(".").split("."), path.removeprefix(_OPTIONS))
    return tuple(path.split("."))


def is_secret(path: str) -> bool:
    """Is the value at this path never to be seen, nor to be written into a file of settings?"""
    return path in _SECRETS or (path.startswith(_OPTIONS) and bool(_SECRET_OPTION.search(path)))


def has_password(url: str) -> bool:
    """Before the host, or in the query, where redis-py takes `password` and `ssl_password`."""
    try:
        parts = urlsplit(url)
        return bool(parts.password) or "password=" in parts.query
    except ValueError:
        return "@" in url


def variable_of(path: str) -> str:
    """The environment variable that sets this path."""
    return PREFIX + "__".join(part.replace(".", "_").upper() for part in split(path))


def _path_of(variable: str) -> str:
    path = variable.removeprefix(PREFIX).lower().replace("__", ".")
    if path.startswith(_OPTIONS):  # a shell's variable cannot have the dots of librdkafka's names
        return _OPTIONS + path.removeprefix(_OPTIONS).replace("_", ".")
    return path


def _put(root: Branch, path: str, tree: Tree | None, origin: str, problems: list[Problem]) -> None:
    if tree is None:
        return
    *sections, key = split(path)
    at = root
    for section in sections:
        below = at.entries.setdefault(section, Branch({}, origin))
        if not isinstance(below, Branch):
            problems.append(Problem(path, f"{section} is already set as a whole", origin=origin))
            return
        at = below
    at.entries[key] = tree


def _parse(text: str, name: str, problems: list[Problem], *, numbered: bool = False) -> Tree | None:
    """The tree of a YAML text; None (and a problem) where it is not YAML."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        origin = f"{name}:{mark.line + 1}" if numbered and mark is not None else name
        what = getattr(error, "problem", None) or str(error)
        problems.append(
            Problem("", f"not YAML: {what}", "put a text with special characters in quotes", origin)
        )
        return None
    if node is None:
        return Leaf("", name)
    return _tree(node, name if not numbered else f"{name}:", problems, "", 0)


def _tree(node: yaml.Node, name: str, problems: list[Problem], path: str, depth: int) -> Tree:
    origin = f"{name}{node.start_mark.line + 1}" if name.endswith(":") else name
    if depth > DEPTH_LIMIT:
        problems.append(Problem(path, "nested too deep", origin=origin))
        return Leaf("", origin)
    if isinstance(node, yaml.ScalarNode):
        is_null = not node.style and node.value in _NULLS
        return Leaf(None if is_null else str(node.value), origin)
    if isinstance(node, yaml.SequenceNode):
        return Listing([_tree(item, name, problems, path, depth + 1) for item in node.value], origin)
    entries: dict[str, Tree] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        below = f"{path}.{key}" if path else key
        if key in entries:
            problems.append(
                Problem(below, "written twice", "keep one of them", f"{name}{key_node.start_mark.line + 1}")
            )
        entries[key] = _tree(value_node, name, problems, below, depth + 1)
    return Branch(entries, origin)
