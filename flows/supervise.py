"""How do several processes run on this machine? Children that share nothing; one that dies is started again.

The Kafka consumer group shares the shards out, so a dead child touches only its own shards, and only until
it or another process has taken them over.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import structlog

from flows.stop import Stop

log = structlog.get_logger("supervise")

WORKER = "BECKON_WORKER"
MEMBER = "BECKON_MEMBER"
_RESTART_SECONDS = 1.0
_RESTARTS_LIMIT, _RESTARTS_WINDOW_SECONDS = 20, 60.0  # past that, a restart does not mend what is wrong
_DRAIN_SECONDS = 30.0
_WRONG_CONFIGURATION = 2


def run(names: Sequence[str], args: Sequence[str], environ: Mapping[str, str], stop: Stop) -> int:
    """Keep a child for each name (of a group member) running until told to stop or all have ended by themselves.

    Answers with the exit code. That the configuration be read again is passed on to all of them.
    """
    environs = [{**environ, WORKER: str(index), MEMBER: name} for index, name in enumerate(names)]
    children = {index: _start(args, environ) for index, environ in enumerate(environs)}
    restarts: list[float] = []
    code = 0
    while children and not stop():
        if stop.was_asked_to_read():
            for child in children.values():
                child.send_signal(signal.SIGHUP)
        for index, child in list(children.items()):
            ended = child.poll()
            if ended is None:
                continue
            del children[index]
            if ended in (0, _WRONG_CONFIGURATION):
                code = max(code, ended)
                continue
            now = time.monotonic()
            restarts = [*(at for at in restarts if now - at < _RESTARTS_WINDOW_SECONDS), now]
            if len(restarts) > _RESTARTS_LIMIT:
                log.error("children keep dying, giving up", restarts=len(restarts))
                code = 1
                _end(children)
                return code
            log.warning("a child died, starting it again", worker=index, exit_code=ended)
            time.sleep(_RESTART_SECONDS)
            children[index] = _start(args, environs[index])
        time.sleep(0.05)
    return max(code, _end(children))


def _start(args: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "console.cli", *args]
    # A session of its own: Ctrl-C reaches the parent alone, which ends the children in order.
    # It would die of a SIGHUP before it listens, so it begins with that blocked, and hears of it then.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    try:
        return subprocess.Popen(  # noqa: S603 - our own program with our own arguments
            command, env=_laid_over(os.environ, environ), start_new_session=True
        )
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])


def _laid_over(under: Mapping[str, str], over: Mapping[str, str]) -> dict[str, str]:
    """What is given to a child replaces a file that the environment names for it, too: both are refused."""
    replaced = {f"{name}_FILE" for name in over}
    return {**{name: value for name, value in under.items() if name not in replaced}, **over}


def _end(children: Mapping[int, subprocess.Popen[bytes]]) -> int:
    """SIGTERM, and time to drain; the worst exit code."""
    worst = 0
    for child in children.values():
        child.terminate()
    deadline = time.monotonic() + _DRAIN_SECONDS
    for child in children.values():
        try:
            worst = max(worst, child.wait(max(0.1, deadline - time.monotonic())))
        except subprocess.TimeoutExpired:
            log.error("a child did not drain in time", pid=child.pid)
            child.kill()
            worst = 1
    return worst
