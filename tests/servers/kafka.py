"""Where do tests and benchmarks get a real Apache Kafka, and how do they break it?

One broker in KRaft mode: from Docker where an engine answers, else on the local Java from Maven Central. It
keeps its port and its data over `kill` and `restart`: clients see what they would see of a crashed broker.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.servers import kafka_docker, kafka_local
from tests.servers.ports import free_port

_READY_SECONDS = 60.0
_TOPIC_SECONDS = 30.0


class Broker(Protocol):
    """The process or container behind a KafkaServer."""

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def remove(self) -> None: ...
    def failure(self) -> str | None:
        """Why it is not running, with its last lines; None while it runs."""

    def said(self) -> str:
        """What it has logged since it was started."""


class KafkaUnavailableError(RuntimeError):
    """No broker can be had on this machine; the text says why."""


def unavailable_reason() -> str | None:
    """Why no broker can be started here, in one line; None where one can."""
    without_docker = kafka_docker.unavailable_reason()
    without_java = kafka_local.unavailable_reason()
    if without_docker is None or without_java is None:
        return None
    return f"{without_docker}; {without_java}"


class KafkaServer:
    """One broker on a loopback port; `bootstrap_servers` stays the same for its whole life."""

    def __init__(self, *, long_running: bool = False, proxy_port: int | None = None) -> None:
        """`long_running`: let the JVM compile well (benchmarks) instead of starting fast (tests).

        `proxy_port`: a proxy listens there before a second listener, `behind_proxy`; the broker is a local one then.
        """
        self._long_running = long_running
        self._port = free_port()
        self._proxied = None if proxy_port is None else (free_port(), proxy_port)
        self._broker: Broker | None = None

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def behind_proxy(self) -> str:
        """What the proxy shall connect to; who connects to the proxy is told the proxy's address by the broker."""
        assert self._proxied is not None, "the broker was not asked to have a proxy"
        return f"127.0.0.1:{self._proxied[0]}"

    def start(self) -> Self:
        """Start, or start again on the same data; returns when it answers."""
        if self._broker is None:
            self._broker = self._choose_broker()
        self._broker.start()
        try:
            self._wait_until_ready()
        except BaseException:
            self._broker.kill()
            raise
        return self

    def restart(self) -> Self:
        return self.start()

    def said(self) -> str:
        """What the broker has logged since it was started."""
        assert self._broker is not None, "the broker was never started"
        return self._broker.said()

    def kill(self) -> None:
        """SIGKILL. `restart` brings it back on the same data."""
        assert self._broker is not None, "the broker was never started"
        self._broker.kill()

    def stop(self) -> None:
        """End it and remove its data."""
        if self._broker is not None:
            self._broker.kill()  # the data goes with it: an orderly shutdown would only cost seconds
            self._broker.remove()
            self._broker = None

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        """Create topics by name with so many partitions; returns when every partition has a leader."""
        create_topics(self._admin(), partitions)

    def delete_topics(self, names: list[str]) -> None:
        admin = self._admin()  # it must outlive its answers
        for deleted in admin.delete_topics(names, operation_timeout=_TOPIC_SECONDS).values():
            deleted.result(_TOPIC_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _admin(self) -> AdminClient:
        # log_level 0: a broker that is still starting, or killed on purpose, is no news for the terminal.
        return AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

    def _wait_until_ready(self) -> None:
        assert self._broker is not None
        wait_until_ready(self._admin(), self._broker.failure)

    def _choose_broker(self) -> Broker:
        if kafka_docker.unavailable_reason() is None and self._proxied is None:
            return kafka_docker.DockerBroker(self._port)
        if (reason := self._without_broker()) is not None:
            raise KafkaUnavailableError(reason)
        try:
            jars = kafka_local.libraries()
        except kafka_local.DownloadError as error:
            raise KafkaUnavailableError(str(error)) from error
        directory = Path(tempfile.mkdtemp(prefix="beckon-kafka-"))
        return kafka_local.LocalBroker(
            self._port, directory, jars, long_running=self._long_running, proxied=self._proxied
        )

    def _without_broker(self) -> str | None:
        return unavailable_reason() if self._proxied is None else kafka_local.unavailable_reason()


def wait_until_ready(admin: AdminClient, failure: Callable[[], str | None]) -> None:
    """Until the broker answers; `failure` says why it never will."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if (why := failure()) is not None:
            raise RuntimeError(f"Kafka ended while starting: {why}")
        try:
            admin.list_topics(timeout=0.25)
            return
        except KafkaException:
            time.sleep(0.02)
    raise TimeoutError(f"Kafka did not answer within {_READY_SECONDS:.0f} s")


def create_topics(admin: AdminClient, partitions: Mapping[str, int]) -> None:
    """By name with so many partitions; returns when every partition has a leader."""
    wanted = [
        NewTopic(name, num_partitions=count, replication_factor=1) for name, count in partitions.items()
    ]
    for created in admin.create_topics(wanted, operation_timeout=_TOPIC_SECONDS).values():
        created.result(_TOPIC_SECONDS)
    deadline = time.monotonic() + _TOPIC_SECONDS
    while time.monotonic() < deadline:
        known = admin.list_topics(timeout=_TOPIC_SECONDS).topics
        if all(
            name in known and [p.leader for p in known[name].partitions.values()].count(1) == count
            for name, count in partitions.items()
        ):
            return
        time.sleep(0.02)
    raise TimeoutError(f"topics without leaders after {_TOPIC_SECONDS:.0f} s: {sorted(partitions)}")
