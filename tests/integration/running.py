"""How is a process of beckon watched, interrupted and killed?"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_DRAIN_SECONDS = 20.0


class Running:
    """One `beckon` command and the children it started; what it says goes to `log`."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, directory: Path, environ: Mapping[str, str]
    ) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=dict(environ),
                start_new_session=True,  # the interrupt of a terminal is sent on purpose, by `interrupt`
            )

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, seconds: float) -> int:
        """The exit code; a process that goes on longer is killed, and the test fails."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"it did not end within {seconds:.0f} s:\n{self.said()}") from None

    def said(self, characters: int = 60_000) -> str:
        """The last of what it printed and logged."""
        return self._log.read_text(errors="replace")[-characters:]

    def kill(self) -> None:
        """SIGKILL, which no process sees coming; it must have been running until now."""
        assert self.runs, f"it had ended before it could be killed:\n{self.said()}"
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        self._process.terminate()

    def interrupt(self) -> None:
        """Ctrl-C as a terminal gives it: SIGINT to the whole process group."""
        os.killpg(self._process.pid, signal.SIGINT)

    def children(self) -> list[int]:
        """Process ids of the running children, the oldest first."""
        listed = subprocess.run(
            ["ps", "-o", "pid=,stat=", "--ppid", str(self._process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line.split() for line in listed.stdout.splitlines()]
        return sorted(int(pid) for pid, state in lines if not state.startswith("Z"))

    def end(self) -> None:
        """Whatever state it is in: nothing of it runs afterwards."""
        if self.runs:
            children = self.children()
            self._process.terminate()
            try:
                self._process.wait(_DRAIN_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                for child in children:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
