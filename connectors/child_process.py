"""How does a server that we start never outlive us, however we die?

`prctl(PR_SET_PDEATHSIG)` exists on Linux only, needs code between fork and exec, and fires when the *thread*
that forked ends. So the child gets a pipe instead: we hold its only writing end, and the kernel closes it
when we are gone, kill -9 included. A few lines of shell wait for that, detached so that the server has no
unknown child, and then send the server an ordinary SIGTERM: it still writes out what it holds.
"""

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# $$ is the shell that becomes the server by exec: its pid is the one Popen knows. A word on the pipe means
# that we have ended the server ourselves; its pid may be somebody else's by then and must not be signalled.
_WATCHED = """
exec 3<&0
( ( read -r word <&3; [ -n "$word" ] || kill -TERM $$ ) >/dev/null 2>&1 & )
exec 3<&- </dev/null
exec "$@"
"""


class ChildProcess:
    """One server process: it dies with this process, and does not see the terminal's Ctrl-C."""

    def __init__(
        self, command: Sequence[str | Path], *, log: Path, cwd: Path, keep_open: Sequence[int] = ()
    ) -> None:
        """Start `command`; its output goes to `log`. `keep_open`: descriptors that it inherits."""
        reading, self._lifeline = os.pipe()
        inherited = [
            fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10) for descriptor in keep_open
        ]  # 0-9: the shell
        try:
            with log.open("wb") as output:
                self._process = subprocess.Popen(  # noqa: S603 - the commands are ours, never input
                    ["/bin/sh", "-c", _WATCHED, "sh", *map(str, command)],
                    stdin=reading,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=cwd,
                    env={**os.environ, "LC_ALL": "C"},
                    start_new_session=True,
                    pass_fds=inherited,
                )
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            for descriptor in (reading, *inherited):
                os.close(descriptor)
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, patience_seconds: float = 10.0) -> None:
        """SIGTERM, and SIGKILL for one that does not listen. Nothing happens the second time."""
        self._process.terminate()
        try:
            self._process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._forget()

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._process.kill()
        self._forget()

    def _forget(self) -> None:
        self._process.wait()
        if self._lifeline >= 0:
            with contextlib.suppress(BrokenPipeError):  # the watching shell may be gone too
                os.write(self._lifeline, b"ended\n")
            os.close(self._lifeline)
            self._lifeline = -1
