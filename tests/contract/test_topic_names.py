"""Does a look at the topics, every ten seconds, leave anything behind in Python's memory?"""

from __future__ import annotations

import gc
import sys
import uuid
from collections.abc import Callable

import pytest

from connectors.brokers import INTERNED, Brokers
from tests.servers.kafka import KafkaServer


def test_a_name_stays_interned_from_one_look_to_the_next(kafka: KafkaServer) -> None:
    letters = uuid.uuid4().hex[:8]
    kafka.create_topics({letters: 1})
    assert letters in Brokers(kafka.bootstrap_servers, {}, group_id="g").partitions()
    again = "".join([*letters])
    assert sys.intern(again) is not again, (
        "nobody has kept it, so the next look is another entry of the table"
    )


@pytest.mark.parametrize("name", INTERNED)
def test_what_the_client_calls_the_parts_of_an_id_stays_too(name: str) -> None:
    again = "".join([*name])
    assert sys.intern(again) is not again


def test_to_ask_for_partitions_leaves_nothing_and_for_ids_an_object_a_topic(kafka: KafkaServer) -> None:
    """That of confluent-kafka 2.16 is why ids are asked for every minute only: once it is none, ask each time."""
    names = [uuid.uuid4().hex[:8] for _ in range(5)]
    kafka.create_topics(dict.fromkeys(names, 1))
    brokers = Brokers(kafka.bootstrap_servers, {}, group_id="g")

    def left(ask: Callable[[], object]) -> int:
        for _ in range(100):  # what is kept for the next time
            ask()
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(200):
            ask()
        gc.collect()
        return sys.getallocatedblocks() - before

    assert left(lambda: brokers.topic_ids(names)) >= 800
    assert left(brokers.partitions) < 100
