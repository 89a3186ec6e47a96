"""Do the commands explain themselves, and end with the agreed codes, in words, when something is wrong?"""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from connectors.embedded_redis import EmbeddedRedisError
from console.cli import app
from console.options import arguments_of, told
from state.ledger import LedgerError

COMMANDS = (
    "run",
    "check",
    "doctor",
    "demo",
    "replay",
    "profile",
    "explain",
    "pseudonym",
    "erase",
    "rebuild",
    "topics create",
    "dlq list",
    "dlq redrive",
    "fit",
)


def test_help_lists_every_command(beckon: CliRunner) -> None:
    shown = beckon.invoke(app, ["--help"])

    assert shown.exit_code == 0
    assert all(command.split()[0] in shown.output for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_the_common_options(
    beckon: CliRunner, command: str
) -> None:
    shown = beckon.invoke(app, [*command.split(), "--help"])

    assert shown.exit_code == 0
    assert f"Example: beckon {command}" in shown.output
    assert "--config" in shown.output
    assert "--set" in shown.output
    assert ("--json" in shown.output) == (command != "run"), "the log of run is JSON lines"


def test_version(beckon: CliRunner) -> None:
    shown = beckon.invoke(app, ["--version"])

    assert (shown.exit_code, shown.output.split()[0]) == (0, "beckon")


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["run", "--for", "20"],
        ["run", "--workers", "0"],
        ["run", "--unknown"],
        ["profile"],
        ["explain"],
        ["explain", "u1", "--at", "soon"],
        ["erase"],
        ["replay", "no-such-folder", "out"],
        ["replay", ".", "out", "--until", "2026-09-21T14:13:20"],
        ["replay", ".", "out", "--until", "soon"],
        ["demo", "--rate", "0"],
        ["dlq", "list", "--limit", "0"],
        ["dlq", "redrive", "--mended", "no-such-file"],
    ],
)
def test_wrong_usage_ends_with_2(beckon: CliRunner, arguments: list[str]) -> None:
    ended = beckon.invoke(app, arguments)

    assert ended.exit_code == 2
    assert "Usage" in ended.stderr


ARGUMENTS = {
    "replay": [".", "out"],
    "profile": ["u1"],
    "explain": ["u1"],
    "erase": ["u1"],
    "fit": [".", "--out", "fitted.yaml"],
    "dlq redrive": ["--all"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_configuration_ends_every_command_with_2_and_all_errors(
    beckon: CliRunner, command: str, tmp_path: Path
) -> None:
    (tmp_path / "shop.yaml").write_text("http:\n  prot: 1\nredis:\n  password: hunter2\n")
    chosen = ["--config", "shop.yaml", "--set", "logs.level=loud", "--set", "time.zone=Mars"]

    ended = beckon.invoke(app, [*command.split(), *ARGUMENTS.get(command, []), *chosen])

    assert ended.exit_code == 2
    assert ended.stdout == ""
    told_lines = ended.stderr.splitlines()
    assert told_lines[0] == "beckon: the configuration has 4 errors:"
    for path in (
        "http.prot (shop.yaml:2)",
        "redis.password (shop.yaml:4)",
        "logs.level (--set)",
        "time.zone (--set)",
    ):
        assert any(line.startswith(f"  - {path}: ") for line in told_lines), path
    assert "hunter2" not in ended.stderr


def test_a_wrong_variable_of_the_environment_is_an_error_too(
    beckon: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BECKON__HTTP__PROT", "1")

    assert "http.prot (BECKON__HTTP__PROT)" in beckon.invoke(app, ["check"]).stderr


@pytest.mark.parametrize(("shell", "first"), [("bash", "_beckon_completion"), ("zsh", "#compdef beckon")])
def test_shells_complete_commands(beckon: CliRunner, shell: str, first: str) -> None:
    script = beckon.invoke(app, [], prog_name="beckon", env={"_BECKON_COMPLETE": f"source_{shell}"})
    asked = {"_BECKON_COMPLETE": f"complete_{shell}", "COMP_WORDS": "beckon dlq re", "COMP_CWORD": "2"}
    answered = beckon.invoke(
        app, [], prog_name="beckon", env={**asked, "_TYPER_COMPLETE_ARGS": "beckon dlq re"}
    )

    assert script.stdout.startswith(first) or first in script.stdout
    assert "redrive" in answered.stdout


def test_a_bar_is_shown_on_a_terminal_only() -> None:
    """A pseudo-terminal and a pipe get the same answer; the bar is on standard error."""
    script = "from console.progress import progress_of\nwith progress_of('work') as p: p(1, 2); p(2, 2)\nprint('done')"
    main, terminal = pty.openpty()
    on_terminal = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=terminal, text=True, check=True
    )
    os.close(terminal)
    on_pipe = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert b"work" in os.read(main, 10_000)
    assert (on_terminal.stdout, on_pipe.stdout, on_pipe.stderr) == ("done\n", "done\n", "")


def test_a_profile_nobody_can_be_asked_for_ends_with_1(beckon: CliRunner) -> None:
    ended = beckon.invoke(app, ["profile", "u1", "--json"])

    assert ended.exit_code == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("beckon: ")
    assert "beckon run" in ended.stderr


def test_erasing_asks_first_on_a_terminal_only(beckon: CliRunner) -> None:
    """CliRunner's input is no terminal, so nothing is asked; the command fails for want of a service."""
    assert "cannot be undone" not in beckon.invoke(app, ["erase", "u1"], input="n\n").output


def test_replay_writes_what_would_have_happened(beckon: CliRunner, tmp_path: Path) -> None:
    history = tmp_path / "in"
    history.mkdir()
    event = {"event_id": "e1", "type": "cart_item_added", "ts": 1_790_000_000_000, "user_id": "u1"}
    (history / "clickstream.jsonl").write_text(
        json.dumps(event | {"sku": "k1", "quantity": 1, "price": 1999}) + "\nnot json\n"
    )
    chosen = ["--set", "policy.enabled=false", "--set", "rules.cart_abandoned.second_delay=null"]

    done = beckon.invoke(app, ["replay", "in", "out", *chosen, "--until", "2026-09-22T14:13:20Z"])

    assert done.exit_code == 0, done.output
    again = beckon.invoke(app, ["replay", "in", "out", *chosen, "--until", "2026-09-22T14:13:20Z", "--json"])
    assert json.loads(again.stdout) == {
        "events": 2,
        "users": 1,
        "triggers": 1,
        "decisions": 1,
        "dead_letters": 1,
    }
    assert done.stdout == "2 records, 1 user, 1 trigger, 1 decision, 1 dead letter; written into out\n"
    trigger = json.loads((tmp_path / "out" / "triggers.jsonl").read_text())
    assert (trigger["subject"], trigger["time"]) == ("u1", "2026-09-21T15:13:20Z")


def test_an_error_that_an_operator_can_mend_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    errors: tuple[tuple[Exception, str], ...] = (
        (LedgerError("another number of shards"), "beckon: another number of shards\n"),
        (EmbeddedRedisError("no server"), "beckon: no server\n"),
        (
            OSError(98, "cannot listen on 127.0.0.1 port 8080"),
            "beckon: cannot listen on 127.0.0.1 port 8080\n",
        ),
        (FileNotFoundError(2, "No such file", "in/x.jsonl"), "beckon: No such file: in/x.jsonl\n"),
    )
    for error, words in errors:
        with pytest.raises(typer.Exit) as ended, told():
            raise error
        assert (ended.value.exit_code, capsys.readouterr().err) == (1, words)


def test_the_cause_is_told_when_the_engine_wraps_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), told():
        raise RuntimeError("error in the flow") from LedgerError("the state is of another layout")

    assert capsys.readouterr().err == "beckon: the state is of another layout\n"


def test_an_error_of_ours_keeps_its_trace() -> None:
    def fail_while_an_error_is_handled() -> None:
        try:
            raise OSError("handled")
        except OSError:
            raise KeyError("ours")  # noqa: B904 - no cause given, as in a mistake

    with pytest.raises(KeyError), told():
        fail_while_an_error_is_handled()


def test_a_child_process_gets_the_same_choice() -> None:
    assert arguments_of(Path("shop.yaml"), ["a=1", "b=[x, y]"]) == [
        *("--config", "shop.yaml"),
        *("--set", "a=1"),
        *("--set", "b=[x, y]"),
    ]
    assert arguments_of(None, None) == []
