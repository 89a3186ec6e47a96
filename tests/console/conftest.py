"""How do tests call the commands? In an empty folder, in this process."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.restored_logging import restored_logging


@pytest.fixture
def beckon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CliRunner]:
    """The commands in an empty folder, on a wide terminal without colours."""
    monkeypatch.chdir(tmp_path)
    with restored_logging():
        yield CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody answers, ours for the time of the test."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
