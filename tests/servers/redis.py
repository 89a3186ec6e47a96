"""Where do tests and benchmarks get a real Redis, and how do they break it?"""

from pathlib import Path
from typing import Self

import redis

from connectors.embedded_redis import EmbeddedRedis
from tests.servers.ports import free_port


class RedisServer:
    """A real server over one directory, on a loopback port that stays the same across restarts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._port = free_port()
        self._server: EmbeddedRedis | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int:
        assert self._server is not None, "the server is not running"
        return self._server.pid

    def start(self) -> Self:
        self._server = EmbeddedRedis.start(self.directory, port=self._port)
        return self

    def stop(self) -> None:
        """SIGTERM: everything acknowledged is on disk."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def kill(self) -> None:
        """SIGKILL: with an fsync every second, the last writes may be lost."""
        if self._server is not None:
            self._server.kill()
            self._server = None

    def flush(self) -> None:
        """Empty every database and take back every setting that a test may have changed for safety."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", 0)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
