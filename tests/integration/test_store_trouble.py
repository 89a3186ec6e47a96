"""While Redis will not or cannot write: does the flow wait, say so quietly, lose nothing, and go on by itself?"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from msgspec import Struct

from tests.integration.installation import Installation, eventually, lines_of
from tests.integration.running import Running
from tests.integration.test_status import added, ask, tell
from tests.servers.ports import free_port
from tests.servers.redis import RedisServer

LONG_SECONDS = 2.5
LINES = 12  # of a trouble of 2.5 s; a line every 100 ms would be 25


class Trouble(Struct):
    """`word`: what /readyz says of it."""

    begin: Callable[[RedisServer, redis.Redis], object]
    end: Callable[[RedisServer, redis.Redis], object]
    word: str


def _never_ending(server: RedisServer, client: redis.Redis) -> None:
    """A script that does not end, sent by somebody else, as Redis says BUSY of."""
    client.config_set("busy-reply-threshold", 50)
    # What becomes of it is of no interest: it is killed, and so is its caller's patience.
    quietly = contextlib.suppress(redis.RedisError)

    def send() -> None:
        with quietly, redis.Redis.from_url(server.url) as other:
            other.eval("while true do end", 0)

    threading.Thread(target=send, daemon=True).start()


TROUBLES = {
    "out_of_memory": Trouble(
        lambda _, client: client.config_set("maxmemory", 1),
        lambda _, client: client.config_set("maxmemory", 0),
        "OOM",
    ),
    "replica": Trouble(
        lambda _, client: client.replicaof("127.0.0.1", str(free_port())),
        lambda _, client: client.replicaof("NO", "ONE"),
        "READONLY",
    ),
    "replicas_away": Trouble(
        lambda _, client: client.config_set("min-replicas-to-write", 1),
        lambda _, client: client.config_set("min-replicas-to-write", 0),
        "NOREPLICAS",
    ),
    "busy": Trouble(_never_ending, lambda _, client: client.script_kill(), "BUSY"),
}


class Service(Struct):
    """A service on a file log and a Redis of its own, that has seen one event and is ready."""

    shop: Installation
    process: Running
    server: RedisServer
    port: int
    log: Path

    def says(self, word: str) -> None:
        eventually(lambda: ask(self.port, "/readyz")[0] == 503, what="readiness to turn red")
        eventually(lambda: word.encode() in ask(self.port, "/readyz")[1], what=f"the word {word}")

    def goes_on(self, lines: int) -> None:
        """Nothing is missing, nothing came twice, the process is the one that was there before."""
        eventually(lambda: ask(self.port, "/readyz")[0] == 200, what="readiness to come back")
        eventually(lambda: len(self.shop.users()["u1"].cart.lines) == lines, what="the missed events")
        eventually(lambda: ask(self.port, "/healthz")[0] == 200, what="health")
        assert self.process.runs
        self.process.terminate()
        assert self.process.wait(20) == 0, self.process.said()
        triggers = self.log / "triggers.jsonl"
        found = lines_of(triggers) if triggers.exists() else []
        assert len({trigger["id"] for trigger in found}) == len(found)

    def lines_about_it(self) -> int:
        return self.process.said(1_000_000).count('"level": "warning"')


@pytest.fixture
def service(tmp_path: Path, own_redis: RedisServer) -> Iterator[Service]:
    port = free_port()
    settings = {
        "files": {"directory": "log"},
        "redis": {"url": own_redis.url},
        "http": {"enabled": True, "port": port},
        "engine": {"heartbeat": "300ms"},
        "policy": {"enabled": False},
    }
    log = tmp_path / "shop" / "log"
    with Installation(tmp_path / "shop", settings) as shop:
        process = shop.start("run")
        eventually(lambda: ask(port, "/readyz")[0] == 200, what="readiness")
        tell(log, added(1))
        eventually(shop.users, what="the first event")
        yield Service(shop, process, own_redis, port, log)


@pytest.mark.parametrize("kind", TROUBLES)
def test_what_redis_refuses_waits(service: Service, kind: str) -> None:
    trouble = TROUBLES[kind]
    with redis.Redis.from_url(service.server.url) as client:
        trouble.begin(service.server, client)
        try:
            tell(service.log, added(2), added(3))
            service.says(trouble.word)
            time.sleep(LONG_SECONDS)
            assert [ask(service.port, path)[0] for path in ("/readyz", "/healthz")] == [503, 503]
            served = ask(service.port, "/metrics")[1].decode()
            assert "beckon_ready 0.0" in served
            assert f'beckon_store_errors_total{{kind="{trouble.word.lower()}"}}' in served
            assert service.lines_about_it() <= LINES, service.process.said()
            tell(service.log, added(4))
        finally:
            trouble.end(service.server, client)
    service.goes_on(4)


def test_a_redis_that_is_silent_is_waited_for(service: Service) -> None:
    """As a disk that hangs, or a network that swallows: the connection is there and nothing comes."""
    os.kill(service.server.pid, signal.SIGSTOP)
    try:
        tell(service.log, added(2))
        eventually(lambda: ask(service.port, "/healthz")[0] == 503, what="health to turn red")
        service.says("Redis")
    finally:
        os.kill(service.server.pid, signal.SIGCONT)
    service.goes_on(2)


def test_a_redis_that_is_loading_is_waited_for(service: Service) -> None:
    service.server.stop()
    slow = b"for i = 1, 50000 do end"  # a fraction of a millisecond; Redis looks up every 1,024 commands
    record = b"*3\r\n$4\r\nEVAL\r\n$%d\r\n%s\r\n$1\r\n0\r\n" % (len(slow), slow)
    written = max((service.server.directory / "appendonlydir").glob("*.incr.aof"), key=lambda p: p.name)
    with written.open("ab") as file:
        file.write(record * 20_000)
    starting = threading.Thread(target=service.server.start)
    starting.start()
    tell(service.log, added(2))
    service.says("loading")
    eventually(lambda: ask(service.port, "/healthz")[0] == 503, what="health to turn red")
    assert starting.is_alive(), "it was loading all the while"
    starting.join()
    service.goes_on(2)


def test_scripts_that_redis_has_forgotten_are_told_it_again(service: Service) -> None:
    with redis.Redis.from_url(service.server.url) as client:
        client.script_flush()
    tell(service.log, added(2))
    service.goes_on(2)
