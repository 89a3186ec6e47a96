"""Do the names of topics that are looked at every ten seconds fill up Python's table of interned strings?"""

from __future__ import annotations

import sys
import uuid

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
