"""Does `beckon pseudonym` say by which name the service knows somebody, and end with the agreed codes?"""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from connectors.pseudonyms import Pseudonyms
from console.cli import app

KEY = "0123456789abcdef" * 2
ON = ["--set", "privacy.pseudonymise=true"]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BECKON__PRIVACY__KEY", KEY)


def test_ids_are_named_in_order_from_arguments_or_lines(beckon: CliRunner) -> None:
    names = [Pseudonyms(KEY, 1).of(person) for person in ("u1", "Zoë 2")]
    named = beckon.invoke(app, ["pseudonym", "u1", "Zoë 2", *ON])
    lines = beckon.invoke(app, ["pseudonym", *ON], input="u1\nZoë 2\n")

    assert named.exit_code == lines.exit_code == 0
    assert named.stdout.splitlines() == lines.stdout.splitlines() == names
    assert beckon.invoke(app, ["pseudonym", *names, *ON]).stdout == named.stdout


def test_for_as_many_partitions_as_are_configured(beckon: CliRunner) -> None:
    chosen = [*ON, "--set", "source=kafka", "--set", "kafka.partitions=8", "--json"]
    said = json.loads(beckon.invoke(app, ["pseudonym", "u1", *chosen]).stdout)

    assert said == {"id": "u1", "pseudonym": Pseudonyms(KEY, 8).of("u1")}


def test_what_no_event_can_have_ends_with_1_and_keeps_the_lines_in_step(beckon: CliRunner) -> None:
    ended = beckon.invoke(app, ["pseudonym", *ON], input="u1\n\n" + "x" * 129 + "\nu2\n")

    assert ended.exit_code == 1
    assert [bool(line) for line in ended.stdout.splitlines()] == [True, False, False, True]
    assert "2 ids" in ended.stderr


def test_without_pseudonyms_it_ends_with_2(beckon: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = beckon.invoke(app, ["pseudonym", "u1"])
    assert ended.exit_code == 2
    assert "privacy.pseudonymise is false" in ended.stderr

    monkeypatch.delenv("BECKON__PRIVACY__KEY")
    ended = beckon.invoke(app, ["pseudonym", "u1", *ON])
    assert ended.exit_code == 2
    assert "openssl rand -hex 32" in ended.stderr
