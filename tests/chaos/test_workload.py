"""Is what the shop writes in the log in the order of its time, however slow the way there is?"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.chaos.network import ProxyProcess
from tests.chaos.verifier import INPUTS
from tests.chaos.workload import Workload
from tests.integration.shop import read_all
from tests.servers.kafka import KafkaServer, KafkaUnavailableError
from tests.servers.ports import free_port

PARTITIONS = 4
LATENCY_MS = (
    100  # each way: with the five requests that may be under way the shop's sixty a second are too many
)
OPEN_SECONDS = 6.0


@pytest.fixture
def far_kafka() -> Iterator[tuple[KafkaServer, str]]:
    """A broker, and its address for those for whom it is far away."""
    port = free_port()
    server = KafkaServer(proxy_port=port)
    try:
        server.start()
    except KafkaUnavailableError as error:
        pytest.skip(f"no Kafka broker: {error}")
    try:
        with ProxyProcess(server.behind_proxy, port=port) as proxy:
            proxy.tell(f"latency {LATENCY_MS}")
            yield server, f"127.0.0.1:{port}"
    finally:
        server.stop()


@pytest.mark.integration
def test_nothing_lies_in_the_log_before_what_happened_earlier(far_kafka: tuple[KafkaServer, str]) -> None:
    kafka, far_address = far_kafka
    topics = {role: f"{role}.{uuid.uuid4().hex[:8]}" for role in INPUTS}
    create_stamped_by_the_broker(kafka, list(topics.values()))
    workload = Workload(far_address, topics, partitions=PARTITIONS, seed=21, users_per_second=15.0)
    workload.start()
    time.sleep(OPEN_SECONDS)
    workload.finish()

    found = in_the_order_of_the_log(kafka, list(topics.values()))
    assert len({topic for _, topic, _ in found}) > 1, "the shop was open for too short a time"
    newest = 0
    for appended_at, topic, happened_at in found:
        behind = newest - happened_at
        assert behind <= 0, f"{topic}: at {appended_at} came what is {behind} ms older than what was there"
        newest = happened_at


def create_stamped_by_the_broker(kafka: KafkaServer, topics: list[str]) -> None:
    """Their records tell when they came into the log, not when they were written."""
    config = {"message.timestamp.type": "LogAppendTime"}
    wanted = [
        NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1, config=config) for topic in topics
    ]
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    for created in admin.create_topics(wanted, operation_timeout=30).values():
        created.result(30)


def in_the_order_of_the_log(kafka: KafkaServer, topics: list[str]) -> list[tuple[int, str, int]]:
    """(when it came into the log, topic, when it happened) of each event; poison says so in its headers."""
    found: list[tuple[int, str, int]] = []
    for topic in topics:
        consumer = Consumer(
            {
                "bootstrap.servers": kafka.bootstrap_servers,
                "group.id": "reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        events = [message for message in read_all(consumer, topic, PARTITIONS) if not message.headers()]
        found += [(m.timestamp()[1], topic, json.loads(m.value() or b"")["ts"]) for m in events]
        consumer.close()
    return sorted(found, key=lambda event: (event[0], event[2]))
