"""Does the project keep its own house rules?

Each rule is a test that names every offender at once, with the way out. What a linter already knows (imports,
format, types) is not repeated here.
"""

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import yaml

from triggers.catalog import RULES

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = ("state", "triggers", "connectors", "config", "flows", "console", "tests", "benchmarks")

TOP_LEVEL: Final = frozenset(
    {*PACKAGES, "docs", "deploy", ".ci", "Makefile", "Dockerfile", "docker-compose.yml", "pyproject.toml"}
    | {"requirements.lock", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "AGENTS.md", "LICENSE"}
    | {".gitignore", ".dockerignore", ".editorconfig", ".pre-commit-config.yaml"}
)

MODULE_LINES: Final = 300
FUNCTION_LINES: Final = 60
FORBIDDEN_WORDS: Final = frozenset({"manager", "handler", "helper", "utils", "util"})

# A path of one machine, or the address of a package registry. In pieces, so that this file is clean itself.
MACHINE_PATHS: Final = re.compile(
    r"(?<![\w.~$}/-])/(?:" + "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me", "Us" + "ers", "mnt")) + r")/\w"
)
REGISTRIES: Final = re.compile(
    "|".join(
        re.escape(host)
        for host in (
            "pypi." + "org",
            "files.python" + "hosted.org",
            "repo.maven." + "apache.org",
            "repo1." + "maven.org",
            "registry.npmjs" + ".org",
            "proxy.go" + "lang.org",
            "deb.debian" + ".org",
        )
    )
)


def tracked_files() -> list[Path]:
    """What git tracks or would track: new files count before their first commit."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def modules() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".py"]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def definitions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node


def assert_none(offenders: Iterable[str], way_out: str) -> None:
    found = sorted(offenders)
    assert not found, f"{way_out}:\n  " + "\n  ".join(found)


def test_the_top_level_holds_only_what_the_house_names() -> None:
    present = {name_of(path).split("/")[0] for path in tracked_files()}
    assert_none(present - TOP_LEVEL, "find it a place in a folder, or add it to TOP_LEVEL here")


def test_every_package_folder_has_an_init() -> None:
    folders = {path.parent for path in modules()}
    assert_none(
        (name_of(folder) for folder in folders if not (folder / "__init__.py").exists()), "add __init__.py to"
    )


def test_modules_are_short() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in modules()}
    assert_none(
        (f"{name}: {length} lines" for name, length in lengths.items() if length > MODULE_LINES),
        f"split modules of more than {MODULE_LINES} lines",
    )


def test_functions_are_short() -> None:
    def lengths() -> Iterator[tuple[str, int]]:
        for path in modules():
            for node in definitions(ast.parse(path.read_text())):
                if not isinstance(node, ast.ClassDef) and node.end_lineno is not None:
                    yield f"{name_of(path)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1

    assert_none(
        (f"{name}: {length} lines" for name, length in lengths() if length > FUNCTION_LINES),
        f"split functions of more than {FUNCTION_LINES} lines",
    )


def test_a_module_opens_with_one_sentence() -> None:
    def offenders() -> Iterator[str]:
        for path in modules():
            text = path.read_text()
            if path.name == "__init__.py" and not text.strip():
                continue
            opening = (ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0].strip()
            if not opening.endswith((".", "?")):
                yield f"{name_of(path)}: {opening or 'no docstring'}"

    assert_none(offenders(), "open with one sentence: the question the module answers, then a blank line")


def test_names_say_what_a_thing_is() -> None:
    def words(name: str) -> set[str]:
        return set(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_"))

    def offenders() -> Iterator[str]:
        for path in modules():
            if words(path.stem) & FORBIDDEN_WORDS:
                yield name_of(path)
            for node in definitions(ast.parse(path.read_text())):
                if words(node.name) & FORBIDDEN_WORDS:
                    yield f"{name_of(path)}:{node.lineno} {node.name}"

    assert_none(offenders(), f"name it for what it is, not {', '.join(sorted(FORBIDDEN_WORDS))}")


def test_no_file_knows_this_machine_or_a_registry() -> None:
    def offenders() -> Iterator[str]:
        for path in tracked_files():
            for number, line in enumerate(path.read_bytes().decode(errors="ignore").splitlines(), start=1):
                if found := MACHINE_PATHS.search(line) or REGISTRIES.search(line):
                    yield f"{name_of(path)}:{number} {found.group()}"

    assert_none(offenders(), "keep paths relative and addresses out of the project")


def test_the_lock_file_pins_by_hash_and_names_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", "\n".join(line for line in lock.splitlines() if line[:1] != "#"))
    assert len(entries) > 20
    assert_none(
        (entry.splitlines()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry),
        "pin with a hash (make lock)",
    )
    assert "://" not in lock


def test_every_rule_has_its_four_places() -> None:
    """The file of the rule, its line in the catalogue, its stanza in the YAML, its golden cases."""
    stanzas = yaml.safe_load((ROOT / "config" / "triggers.yaml").read_text())
    places = {
        "triggers/rules/{}.py": {
            p.stem for p in (ROOT / "triggers/rules").glob("*.py") if p.stem != "__init__"
        },
        "{} in triggers/catalog.py": {rule.name for rule in RULES},
        "{} in config/triggers.yaml": set(stanzas),
        "tests/cases/{}.yaml": {path.stem for path in (ROOT / "tests" / "cases").glob("*.yaml")},
    }
    every_rule = set().union(*places.values())
    assert_none(
        (
            place.format(rule)
            for rule in every_rule
            for place, present in places.items()
            if rule not in present
        ),
        "a rule lives in four places; missing",
    )
