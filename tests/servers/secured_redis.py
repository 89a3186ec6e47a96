"""Where do tests get a Redis as a careful operator sets it up? TLS alone, and the users of deploy/redis/users.acl."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any, Final, Self

import redis

from connectors.child_process import ChildProcess
from connectors.embedded_redis import EmbeddedRedisError, find_server
from tests.servers.certificates import Authority
from tests.servers.ports import free_port

_READY_SECONDS: Final = 20.0
_WRITE_USERS: Final = Path(__file__).parents[2] / "deploy" / "redis" / "write-users.sh"
_ADMIN: Final = "test-admin"


class SecuredRedis:
    """`app`: whose keys the users may use. A client may show a certificate, and need not."""

    def __init__(self, directory: Path, authority: Authority, app: str) -> None:
        directory.mkdir(parents=True)
        self._directory, self._authority = directory, authority
        self.passwords = directory / "passwords"
        self._port = free_port()
        environ = {**os.environ, "APP": app, "PASSWORDS": str(self.passwords)}
        self.passwords.mkdir()
        users = subprocess.run(["sh", _WRITE_USERS], env=environ, capture_output=True, check=True).stdout
        admin = f"user {_ADMIN} on >{_ADMIN} ~* &* +@all\n".encode()
        (directory / "users.acl").write_bytes(users + admin)

    def password_of(self, user: str) -> str:
        return (self.passwords / user).read_text()

    @property
    def url(self) -> str:
        return f"rediss://127.0.0.1:{self._port}/0"

    def admin(self) -> redis.Redis:
        """May do everything, which none of the shipped users may."""
        ours: dict[str, Any] = {"username": _ADMIN, "password": _ADMIN}
        return redis.Redis.from_url(self.url, ssl_ca_certs=str(self._authority.certificate), **ours)

    def __enter__(self) -> Self:
        identity = self._authority.issue("redis")
        command: list[str | Path] = [
            find_server(self._directory),
            "--aclfile",
            "users.acl",
            "--daemonize",
            "no",
        ]
        command += ["--tls-port", str(self._port), "--port", "0", "--bind", "127.0.0.1"]
        command += ["--tls-cert-file", identity.certificate, "--tls-key-file", identity.key]
        command += ["--tls-ca-cert-file", self._authority.certificate, "--tls-auth-clients", "optional"]
        command += ["--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"]
        self._process = ChildProcess(command, log=self._directory / "redis.log", cwd=self._directory)
        try:
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        with self.admin() as client:
            while time.monotonic() < deadline and self._process.exit_code() is None:
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    time.sleep(0.02)
        raise EmbeddedRedisError(f"no Redis with TLS:\n{self._process.log_tail()}")
