"""Are the servers of the tests the real thing: transactions and isolation, persistence, crashes?"""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from confluent_kafka import Consumer, Producer, TopicPartition

from connectors.embedded_redis import EmbeddedRedis, EmbeddedRedisError, find_server
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

_PATIENCE_SECONDS = 30.0


@pytest.fixture
def topic(kafka: KafkaServer) -> str:
    name = f"servers-{uuid.uuid4().hex[:8]}"
    kafka.create_topics({name: 2})
    return name


def test_a_committed_transaction_is_read_and_an_aborted_one_is_not(kafka: KafkaServer, topic: str) -> None:
    producer = _transactional(kafka)
    for value, finish in ((b"lost", producer.abort_transaction), (b"kept", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic, value, partition=0)
        producer.flush(_PATIENCE_SECONDS)
        finish(_PATIENCE_SECONDS)

    assert _read(kafka, topic, "read_committed", count=1) == [b"kept"]
    assert _read(kafka, topic, "read_uncommitted", count=2) == [b"lost", b"kept"]


def test_an_unknown_topic_is_an_error_not_a_new_topic(kafka: KafkaServer) -> None:
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "message.timeout.ms": 3000})
    producer.produce("no-such-topic", b"x", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(_PATIENCE_SECONDS) == 0
    assert errors[0] is not None


def test_a_killed_broker_comes_back_with_its_records(own_kafka: KafkaServer) -> None:
    own_kafka.create_topics({"t": 1})
    producer = _transactional(own_kafka)
    producer.begin_transaction()
    producer.produce("t", b"before", partition=0)
    producer.commit_transaction(_PATIENCE_SECONDS)

    own_kafka.kill()
    own_kafka.restart()

    assert _read(own_kafka, "t", "read_committed", count=1) == [b"before"]


def test_redis_is_set_as_production_needs_it(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        assert client.dbsize() == 0


def test_redis_keeps_its_state_over_a_stop_and_its_synced_state_over_a_kill(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    for end in (server.stop, server.kill):
        server.start()
        with redis.Redis.from_url(server.url) as client:
            client.incr("n")
            time.sleep(1.5)  # the fsync of every second; Redis 7.0 has no WAITAOF
        end()
    with server, redis.Redis.from_url(server.url) as client:
        assert client.get("n") == b"2"


def test_the_server_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time; from connectors.embedded_redis import EmbeddedRedis;"
        "print(EmbeddedRedis.start(pathlib.Path(sys.argv[1])).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        server_pid = int(owner.stdout.readline())
        assert _is_running(server_pid)
        owner.kill()
    _eventually(lambda: not _is_running(server_pid))
    EmbeddedRedis.start(tmp_path).stop()  # and the next one finds the directory free


def test_two_servers_never_share_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.embedded_redis._HANDOVER_SECONDS", 0.2)
    with EmbeddedRedis.start(tmp_path), pytest.raises(EmbeddedRedisError, match="another beckon"):
        EmbeddedRedis.start(tmp_path)


def test_a_failed_start_shows_what_the_server_said(tmp_path: Path) -> None:
    aof = tmp_path / "appendonlydir"
    aof.mkdir()
    (aof / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(EmbeddedRedisError, match=r"(?s)did not become ready.*manifest"):
        EmbeddedRedis.start(tmp_path)


def test_a_directory_with_a_long_name_still_gets_a_socket(tmp_path: Path) -> None:
    with EmbeddedRedis.start(tmp_path / ("long" * 30)) as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()


def test_without_a_server_on_the_path_the_wheel_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert find_server(tmp_path).name == "valkey-server"
    with EmbeddedRedis.start(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        assert client.set("k", "v")
    monkeypatch.undo()
    assert "valkey" in str(find_server(tmp_path)), "the server that wrote the directory goes on reading it"


def test_the_terminals_interrupt_does_not_reach_the_server(tmp_path: Path) -> None:
    with EmbeddedRedis.start(tmp_path) as server:
        assert os.getsid(server.pid) != os.getsid(0), (
            "Ctrl-C goes to a process group of the terminal's session"
        )


def _transactional(kafka: KafkaServer) -> Producer:
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": uuid.uuid4().hex, "log_level": 0}
    )
    producer.init_transactions(_PATIENCE_SECONDS)
    return producer


def _read(kafka: KafkaServer, topic: str, isolation: str, count: int) -> list[bytes | None]:
    """The first `count` records of partition 0."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": "test",
            "isolation.level": isolation,
            "enable.auto.commit": False,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        messages = consumer.consume(count, _PATIENCE_SECONDS)
        return [message.value() for message in messages]
    finally:
        consumer.close()


def _eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.02)


def _is_running(pid: int) -> bool:
    """A zombie that nobody has collected yet does not run."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")
