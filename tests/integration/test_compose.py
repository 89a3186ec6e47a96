"""Does Redis run as docker-compose.yml starts it, with its three users, and do beckon's settings there get in?

There is no engine here: the command, the health check and the environment are taken from the file word for word, and
what a container would see under /run/secrets is a folder.
"""

from __future__ import annotations

import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import redis

from config.load import load
from tests.integration.installation import eventually
from tests.servers.ports import free_port
from tests.test_deploy import COMPOSE, SERVICES
from tests.test_house import ROOT

_ANSWER_SECONDS: Final = 30.0
USERS: Final = {"beckon": "flow", "reader": "reader", "service": "service"}  # by service of the file


class ComposedRedis:
    """The service `redis` as a process of this machine."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._mounted = directory / "mounted"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def make_secrets(self) -> Path:
        """By the script, as the first lines of the file say; and mounted under the names that the file gives them."""
        folder = self._directory / "secrets"
        subprocess.run(["sh", ROOT / "deploy" / "compose-secrets.sh", folder], check=True)
        self._mounted.mkdir(exist_ok=True)
        for name, secret in COMPOSE["secrets"].items():
            (self._mounted / name).unlink(missing_ok=True)
            shutil.copy(folder / Path(secret["file"]).name, self._mounted / name)
        return folder

    def start(self) -> None:
        command = shlex.split(self.here(SERVICES["redis"]["command"]))
        more = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
        self._process = subprocess.Popen([*command, *more], stdout=subprocess.DEVNULL)
        eventually(self.healthy, _ANSWER_SECONDS, what="the health check to pass")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_ANSWER_SECONDS)
            self._process = None

    def healthy(self) -> bool:
        kind, test = SERVICES["redis"]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        here = self.here(test).replace("$$", "$").replace("redis-cli", f"redis-cli -p {self.port}")
        return subprocess.run(["sh", "-c", here], check=False).returncode == 0

    def here(self, text: str) -> str:
        return text.replace("/run/secrets", str(self._mounted))

    def client(self, service: str) -> redis.Redis:
        """With the login that the settings of this service come to."""
        environ = {name: self.here(str(value)) for name, value in SERVICES[service]["environment"].items()}
        settings = load(None, environ, []).redis
        return redis.Redis(
            port=self.port, username=settings.username, password=settings.password, decode_responses=True
        )


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[ComposedRedis]:
    if shutil.which("redis-server") is None or shutil.which("redis-cli") is None:
        pytest.skip("no redis-server with redis-cli on the PATH")
    server = ComposedRedis(tmp_path)
    server.make_secrets()
    yield server
    server.stop()


def test_each_container_has_the_rights_of_its_user_and_nobody_else_gets_in(composed: ComposedRedis) -> None:
    assert not composed.healthy(), "nothing runs yet"
    composed.start()
    key = "{beckon:s00}:u:u1"
    for service, user in USERS.items():
        with composed.client(service) as client:
            assert client.ping()
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.config_get("maxmemory")
            if user == "flow":
                assert client.set(key, "kept")
                assert client.info("persistence")["aof_enabled"] == 1
                assert client.info("memory")["maxmemory_policy"] == "noeviction"
            else:
                assert client.get(key) == "kept"
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.set(key, "another")
    with (
        redis.Redis(port=composed.port) as anybody,
        pytest.raises((redis.exceptions.AuthenticationError, redis.exceptions.NoPermissionError)),
    ):
        anybody.get(key)
    composed.stop()
    assert not composed.healthy()
    composed.start()
    with composed.client("reader") as client:
        assert client.get(key) == "kept"


def test_the_folder_is_its_owners_and_a_second_run_keeps_the_passwords(
    composed: ComposedRedis, tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before.keys() == {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    composed.make_secrets()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    passwords = [before[name] for name in USERS.values()]
    assert len(set(passwords)) == len(passwords)
    assert all(len(password) == 48 for password in passwords)
