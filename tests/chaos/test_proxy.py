"""Does the proxy do to a connection what it is told, and nothing else?"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator

import pytest
import redis
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.chaos.network import ProxyProcess
from tests.servers.kafka import KafkaServer, KafkaUnavailableError
from tests.servers.ports import free_port

END_TXN = 26


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while piece := self.request.recv(65536):
            self.request.sendall(piece)


@pytest.fixture
def echo() -> Iterator[str]:
    """The address of a server that says everything again."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def connect(proxy: ProxyProcess, seconds: float = 5.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=seconds)


def said_again(client: socket.socket, text: bytes) -> bool:
    client.sendall(text)
    found = b""
    while len(found) < len(text):
        piece = client.recv(65536)
        if not piece:
            return False
        found += piece
    return found == text


def is_refused(proxy: ProxyProcess) -> bool:
    try:
        with connect(proxy) as client:  # the reset may come before connect has returned
            return not said_again(client, b"anybody?")
    except (ConnectionResetError, BrokenPipeError):
        return True


def test_bytes_pass_unchanged(echo: str) -> None:
    with ProxyProcess(echo) as proxy, connect(proxy) as client:
        assert said_again(client, bytes(range(256)) * 4096)
        assert proxy.stats()["open"] == 1
        assert proxy.stats()["bytes"] == 2 * 256 * 4096


def test_cut_resets_and_refuses_until_healed(echo: str) -> None:
    with ProxyProcess(echo) as proxy, connect(proxy) as client:
        assert said_again(client, b"before")
        proxy.tell("cut")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert is_refused(proxy)
        proxy.tell("heal")
        with connect(proxy) as again:
            assert said_again(again, b"after")


@pytest.mark.parametrize("way", ["up", "down", "both"])
def test_hold_delays_everything_and_loses_nothing(echo: str, way: str) -> None:
    with ProxyProcess(echo) as proxy, connect(proxy, 0.3) as client:
        proxy.tell(f"hold {way}")
        client.sendall(b"hello")
        with pytest.raises(TimeoutError):
            client.recv(1)
        proxy.tell("heal")
        assert client.recv(100) == b"hello"


@pytest.mark.parametrize("way", ["up", "down"])
def test_swallowed_bytes_never_come_and_the_connection_ends_at_heal(echo: str, way: str) -> None:
    with ProxyProcess(echo) as proxy, connect(proxy, 0.3) as client:
        proxy.tell(f"swallow {way}")
        client.sendall(b"hello")
        with pytest.raises(TimeoutError):
            client.recv(1)
        proxy.tell("heal")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_latency_is_what_was_asked_for(echo: str) -> None:
    with ProxyProcess(echo) as proxy, connect(proxy) as client:
        proxy.tell("latency 100 20")
        begun = time.monotonic()
        assert said_again(client, b"hello")
        assert 0.2 <= time.monotonic() - begun < 1.0


def test_new_connections_go_to_the_new_target(echo: str) -> None:
    with ProxyProcess(f"127.0.0.1:{free_port()}") as proxy:
        assert is_refused(proxy)
        proxy.tell(f"to {echo}")
        with connect(proxy) as client:
            assert said_again(client, b"hello")


def test_only_the_reply_that_was_named_is_cut(echo: str) -> None:
    """The echo answers a request with itself, so the place of the correlation id decides what is cut."""

    def frame(api_key: int, correlation: int) -> bytes:
        # As a response begins with its correlation id, the echo's answer is paired by the first four bytes.
        return struct.pack(">ihhi", 8, api_key, 0, correlation)

    answered_as = struct.unpack(">i", struct.pack(">hh", END_TXN, 0))[0]
    with ProxyProcess(echo, kafka=True) as proxy, connect(proxy) as client:
        proxy.tell(f"reply {END_TXN} cut")
        assert said_again(client, frame(3, 7))
        client.sendall(frame(END_TXN, answered_as))
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert proxy.stats()["replies"] == 1


def test_redis_works_through_it(redis_url: str) -> None:
    address = redis_url.removeprefix("redis://").partition("/")[0]
    with ProxyProcess(address) as proxy, redis.Redis(port=proxy.port) as client:
        client.set("a", b"1" * 1_000_000)
        assert client.get("a") == b"1" * 1_000_000


@contextlib.contextmanager
def proxied_broker(port: int) -> Iterator[KafkaServer]:
    server = KafkaServer(proxy_port=port)
    try:
        yield server.start()
    except KafkaUnavailableError as error:
        pytest.skip(f"no Kafka broker: {error}")
    finally:
        server.stop()


_PATIENT = 60.0  # seconds: a broker that has just started, on a machine that also builds an environment


@pytest.mark.integration
def test_kafka_clients_stay_on_it_and_the_reply_that_ends_a_transaction_comes_late() -> None:
    port = free_port()
    with (
        proxied_broker(port) as server,
        ProxyProcess(server.behind_proxy, kafka=True, port=port) as proxy,
    ):
        server.create_topics({"t": 1})
        producer = Producer({"bootstrap.servers": f"127.0.0.1:{port}", "transactional.id": "x"})
        producer.init_transactions(_PATIENT)
        producer.begin_transaction()
        producer.produce("t", b"v")
        assert producer.flush(_PATIENT) == 0
        proxy.tell(f"reply {END_TXN} 1.5")
        begun = time.monotonic()
        producer.commit_transaction(_PATIENT)
        assert time.monotonic() - begun >= 1.5
        assert proxy.stats()["replies"] == 1
        assert proxy.stats()["open"] >= 2, "a connection to bootstrap, one to the broker by its name"
        consumer = Consumer(
            {"bootstrap.servers": server.bootstrap_servers, "group.id": "g", "auto.offset.reset": "earliest"}
        )
        consumer.assign([TopicPartition("t", 0, 0)])
        message = consumer.poll(_PATIENT)
        consumer.close()
        assert message is not None
        assert message.value() == b"v"
