"""Do `check` and `doctor` see what is wrong, say what helps, and change nothing?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli import app


def test_check_finds_the_embedded_default_good(beckon: CliRunner, tmp_path: Path) -> None:
    found = beckon.invoke(app, ["check"])

    assert found.exit_code == 0, found.output
    assert [line.split()[0] for line in found.stdout.splitlines()] == ["ok"] * 4
    assert not list(tmp_path.iterdir()), "looking must change nothing"


def test_check_shows_the_settings_in_force_without_secrets(
    beckon: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BECKON__REDIS__PASSWORD", "hunter2")

    shown = beckon.invoke(app, ["check", "--settings", "--set", "app=shop-7"])

    assert "app: shop-7" in shown.stdout
    assert "hunter2" not in shown.output


def test_check_tells_what_does_not_answer_and_what_helps(beckon: CliRunner, closed_port: int) -> None:
    chosen = ["source=kafka", f"kafka.bootstrap_servers=127.0.0.1:{closed_port}"]
    chosen += [f"redis.url=redis://127.0.0.1:{closed_port}/0"]

    found = beckon.invoke(app, ["check", *(part for each in chosen for part in ("--set", each))])

    assert found.exit_code == 1
    problems = [line for line in found.stdout.splitlines() if line.startswith("problem")]
    assert [line.split()[1] for line in problems] == ["redis:", "kafka:"]
    assert found.stdout.count("mend: ") == 2


def test_check_tells_of_a_directory_that_cannot_be_used(beckon: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")

    found = beckon.invoke(app, ["check"])

    assert found.exit_code == 1
    assert "files.directory var/log" in found.stdout
    assert "state.directory var/state" in found.stdout


def test_check_tells_of_a_redis_that_forgets(beckon: CliRunner, redis_url: str) -> None:
    import redis

    chosen = ["check", "--set", f"redis.url={redis_url}"]
    good = beckon.invoke(app, chosen)
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            evicting = beckon.invoke(app, chosen)
        finally:
            client.config_set("maxmemory-policy", "noeviction")

    assert good.exit_code == 0, good.output
    assert evicting.exit_code == 1
    assert "CONFIG SET maxmemory-policy noeviction" in evicting.stdout


def test_check_and_doctor_answer_programs_too(beckon: CliRunner) -> None:
    for command in ("check", "doctor"):
        lines = [json.loads(line) for line in beckon.invoke(app, [command, "--json"]).stdout.splitlines()]

        assert {"configuration", "state", "redis", "files"} <= {each["subject"] for each in lines}
        assert all(each.keys() == {"subject", "good", "text", "mend"} for each in lines)


def test_doctor_finds_nothing_wrong_where_nothing_was_begun(beckon: CliRunner, tmp_path: Path) -> None:
    found = beckon.invoke(app, ["doctor", "--set", "http.port=0"])

    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines()[-1] == "all is well"
    assert not list(tmp_path.iterdir()), "looking must change nothing"
