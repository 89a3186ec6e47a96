"""How does Apache Kafka run where a Docker engine answers?"""

import functools
import shutil
import subprocess
import uuid

from tests.servers.kafka_properties import VERSION, properties

_ANSWER_SECONDS = 10
_PULL_SECONDS = 300


@functools.cache
def unavailable_reason() -> str | None:
    if shutil.which("docker") is None:
        return "no docker on the PATH"
    try:
        answer = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer"
    return None if answer.returncode == 0 else "no Docker engine"


class DockerBroker:
    """One container; its data lives and dies with it, and survives `kill`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._name = f"beckon-test-kafka-{uuid.uuid4().hex[:12]}"
        self._exists = False

    def start(self) -> None:
        if self._exists:
            _docker("start", self._name)
            return
        settings = properties(
            listener="0.0.0.0:9092",  # inside the container; published on loopback alone
            advertised=f"127.0.0.1:{self._port}",
            controller="127.0.0.1:9093",
            log_dir="/tmp/kafka-data",  # noqa: S108 - inside the container
        )
        del settings["controller.quorum.bootstrap.servers"]  # the image formats for a fixed quorum
        settings["controller.quorum.voters"] = "1@127.0.0.1:9093"
        environment = [
            f"--env=KAFKA_{key.upper().replace('.', '_')}={value}" for key, value in settings.items()
        ]
        publish = f"--publish=127.0.0.1:{self._port}:9092"
        heap = "--env=KAFKA_HEAP_OPTS=-Xms256m -Xmx512m"
        _docker(
            "run", "--detach", f"--name={self._name}", publish, heap, *environment, f"apache/kafka:{VERSION}"
        )
        self._exists = True

    def kill(self) -> None:
        if self.failure() is None:
            _docker("kill", self._name)

    def remove(self) -> None:
        if self._exists:
            _docker("rm", "--force", "--volumes", self._name)
            self._exists = False

    def said(self) -> str:
        return _docker("logs", self._name)

    def failure(self) -> str | None:
        if not self._exists:
            return "it was not started"
        if _docker("inspect", "--format={{.State.Running}}", self._name).strip() == "true":
            return None
        return _docker("logs", "--tail=15", self._name)


def _docker(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=_PULL_SECONDS, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"docker {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
