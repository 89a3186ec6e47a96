"""Does what the Kafka client raises go away once nobody holds it any more?"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from connectors.aside import Aside
from connectors.brokers import Brokers
from connectors.ends import Ends
from connectors.journal import Journal
from connectors.log import LogError, LogUnavailable
from connectors.under_way import UnderWay

NOBODY = "127.0.0.1:1"
CONFIG = {"bootstrap.servers": NOBODY, "log_level": 0}


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """As in the flow, where it hardly ever runs."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def futures() -> int:
    return sum(isinstance(each, Future) for each in gc.get_objects())


def test_a_refused_question_for_the_ends_frees_itself() -> None:
    ends, before = Ends(CONFIG, 0.0), futures()
    ends.ask([("t", part) for part in range(8)], time.monotonic())
    assert futures() > before
    while ends.answer() is None:
        time.sleep(0.05)
    assert ends.unanswered == 1
    assert futures() == before


def test_a_refused_scan_of_the_journal_frees_itself() -> None:
    journal, before = Journal("journal", NOBODY, "group", 100, {"log_level": 0}), futures()
    with pytest.raises(LogUnavailable) as told:
        journal.scan({0: -1, 1: -1})
    del told
    assert futures() == before


def test_a_refused_question_of_a_topic_frees_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.brokers._ANSWER_SECONDS", 0.5)
    brokers, before = Brokers(NOBODY, {}, 0.5, group_id="group"), futures()
    with pytest.raises(LogError) as told:
        brokers.topic_ids(["t"])
    del told
    until = time.monotonic() + 10
    while futures() != before and time.monotonic() < until:
        time.sleep(0.05)  # the client may answer after we have stopped waiting
    assert futures() == before


class Mishap(Exception):
    """Something that can be watched."""


def test_why_nothing_here_calls_the_client_while_an_error_is_handled() -> None:
    """On Python 3.11 what is handled is kept for ever; 3.12 has an exception as one value, and is spared.

    If this fails the client is mended: then `except` may call it again.
    """
    consumer = Consumer(CONFIG | {"group.id": "group"})
    try:
        raise Mishap
    except Mishap:
        with contextlib.suppress(KafkaException):
            consumer.committed([TopicPartition("t", 0)], timeout=0.1)
    gc.collect()
    kept = any(isinstance(each, Mishap) for each in gc.get_objects())
    assert kept == (sys.version_info < (3, 12))


def test_what_a_round_has_raised_does_not_hold_its_producer() -> None:
    aside, under_way = Aside(), UnderWay()
    producer = Producer(CONFIG | {"transactional.id": "name"})
    gone = weakref.ref(under_way)

    def fail(own: Producer = producer) -> None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    under_way.until = time.monotonic() + 10
    under_way.ended = aside.begin(fail)
    with pytest.raises(KafkaException) as told:
        under_way.end()
    del told, under_way
    work = weakref.ref(fail)
    del fail
    aside.close()
    until = time.monotonic() + 5
    while any(each.name == "aside" for each in threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.01)
    assert gone() is None
    assert work() is None
