"""How does a test hold a proxy in its hand?"""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType
from typing import Self

from tests.servers.ports import free_port

_END_SECONDS = 5.0


class ProxyProcess:
    """A running `tests.chaos.proxy`; it ends with this object, and with this process however that ends."""

    def __init__(self, to: str, *, seed: int = 1, kafka: bool = False, port: int | None = None) -> None:
        """`port`: where it listens; None: any free one."""
        self.port = port or free_port()
        command = [sys.executable, "-m", "tests.chaos.proxy", "--listen", f"127.0.0.1:{self.port}"]
        self._process = subprocess.Popen(
            [*command, "--to", to, "--seed", str(seed), *(["--kafka"] if kafka else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # the terminal's Ctrl-C is for the harness, which ends this in order
        )
        assert self._answer() == "ok", "the proxy did not start"

    def tell(self, command: str) -> None:
        answer = self._ask(command)
        assert answer == "ok", answer

    def stats(self) -> dict[str, int]:
        found: dict[str, int] = json.loads(self._ask("stats"))
        return found

    def stop(self) -> None:
        """Nothing happens the second time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _ask(self, command: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
