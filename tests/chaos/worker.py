"""How is one process of beckon stopped, continued, killed and followed while it works?"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.integration.installation import BECKON
from tests.integration.running import Running


class Worker(Running):
    """`beckon` with these arguments and settings."""

    def __init__(
        self,
        directory: Path,
        name: str,
        settings: Mapping[str, Any],
        *arguments: str,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        config, self.log = directory / f"{name}.yaml", directory / f"{name}.log"
        config.write_text(yaml.safe_dump(dict(settings)))
        command = [str(BECKON), *arguments, "--config", str(config)]
        super().__init__(command, self.log, directory, {**os.environ, **(environ or {})})
        self.name = name
        self.started_at = time.monotonic()

    def freeze(self) -> None:
        """SIGSTOP: it does nothing, and does not know."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def end_at_once(self) -> None:
        """SIGKILL in whatever state it is, also when it has ended."""
        self._process.kill()
        self._process.wait()

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()


def inside(**named: str) -> dict[str, str]:
    """An environment in which `inside/sitecustomize.py` steps into the process."""
    paths = [str(Path(__file__).with_name("inside")), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths)), **named}


def last_words(worker: Worker, characters: int = 400) -> str:
    """The last error or warning it logged, else its last line."""
    lines = worker.said(20_000).splitlines()
    telling = [line for line in lines if '"level":"error"' in line or '"level": "error"' in line]
    return (telling or lines or ["nothing"])[-1][:characters]
