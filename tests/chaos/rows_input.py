"""Rows 13, 14 and 15 of the fault matrix: what if a clock is wrong, input is bad, or a topic is not what it was?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from tests.chaos.lab import Lab
from tests.chaos.outcome import Outcome
from tests.chaos.stage import PARTITIONS, Stage
from tests.chaos.worker import inside
from tests.integration.test_bad_input import bad

_HOUR = 3600.0
_OUTAGE = 2 * _HOUR
_ANSWER_SECONDS = 30.0
_REFUSED_SECONDS = 45.0
_DRAIN_SECONDS = 20.0


def wrong_clock(lab: Lab, points: int) -> Iterator[Outcome]:
    """13: the clock of the process jumps an hour ahead, back, an hour behind, and back, while the shop's is right."""
    for number in range(points):
        hours = (1, -1)[number % 2]
        with lab.stage("13", settings={"time": {"ahead_limit": "2h"}}) as stage:
            clock = _own_clock(stage, 0.0)
            stage.begin()
            for seconds in (hours * _HOUR, 0.0):
                stage.wait(1.0, 3.0)
                _set(clock, seconds)
                stage.wait(4.0, 6.0)
                stage.note(f"the clock is {seconds / _HOUR:+.0f} h off", stage.await_progress())
            yield stage.conclude()


def outage(lab: Lab, points: int) -> Iterator[Outcome]:
    """13b: two hours without beckon, timers pending, while shoppers did what makes them needless."""
    for _ in range(points):
        with lab.stage("13b") as stage:
            clock = _own_clock(stage, 0.0)
            stage.begin()
            stage.wait(4.0, 6.0)
            stage.workers[0].kill()
            stage.drop(stage.workers[0])
            stage.wait(3.0, 4.0)  # the shop goes on
            stage.workload.shift_clock(_OUTAGE)
            _set(clock, _OUTAGE)
            stage.wait(0.5, 1.0)
            stage.start()
            stage.note("two hours without beckon", stage.await_progress())
            stage.wait(2.0, 3.0)
            yield stage.conclude()


def _own_clock(stage: Stage, seconds: float) -> Path:
    """beckon's processes live by this file from now on."""
    clock = stage.directory / "clock"
    _set(clock, seconds)
    stage.environ = inside(CHAOS_CLOCK=str(clock))
    return clock


def _set(clock: Path, seconds: float) -> None:
    """At once: a reader never sees half a number."""
    new = clock.with_suffix(".new")
    new.write_text(str(seconds))
    new.replace(clock)


def poisoned(lab: Lab, points: int) -> Iterator[Outcome]:
    """14: whatever a producer, a network or an enemy may send on every topic, and a kill -9 in the middle of it."""
    for _ in range(points):
        with lab.stage("14") as stage:
            stage.begin()
            rng = random.Random(stage.seed)
            garbage = list(bad(rng))
            rng.shuffle(garbage)
            for part in range(4):
                stage.workload.spoil(garbage[part::4])
                stage.wait(0.1, 0.8)
                if part % 2:
                    stage.kill(stage.workers)
                stage.note(f"{len(garbage[part::4])} bad records", stage.await_progress())
            yield stage.conclude()


def changed_topics(lab: Lab, points: int) -> Iterator[Outcome]:
    """15: input was deleted before it was read, its topic made anew, or got more partitions: refused in words."""
    for number in range(points):
        with lab.stage("15") as stage:
            stage.begin()
            stage.wait(1.0, 2.0)
            stage.workers[0].terminate()
            stage.workers[0].wait(_DRAIN_SECONDS)
            stage.drop(stage.workers[0])
            stage.wait(2.0, 3.0)
            stage.workload.abandon()
            how = ("truncated", "made anew", "given partitions")[number % 3]
            _change(stage, how)
            before = len(stage.shop.read("triggers"))
            worker = stage.start()
            refused = stage.eventually(lambda: not worker.runs, _REFUSED_SECONDS)  # noqa: B023 - asked here and now
            said = worker.said(100_000)
            named = stage.shop.topics["clickstream"] in said
            trouble = "" if refused and named else f"it does not refuse and name the topic: {said[-300:]}"
            trouble += " with a traceback" if "Traceback" in said else ""
            if len(stage.shop.read("triggers")) != before:
                trouble += " it published all the same"
            stage.note(f"topic {how}: refused", trouble=trouble)
            stage.notes[f"topic {how}"] = _error(said)
            yield Outcome(stage.row, stage.seed, stage.points, {"clean": True, "refused": True}, stage.notes)


def _change(stage: Stage, how: str) -> None:
    admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap_servers, "log_level": 0})
    topic = stage.shop.topics["clickstream"]
    if how == "truncated":
        for deleted in admin.delete_records(
            [TopicPartition(topic, part, -1) for part in range(PARTITIONS)]
        ).values():
            deleted.result(_ANSWER_SECONDS)
    elif how == "made anew":
        stage.kafka.delete_topics([topic])
        stage.eventually(lambda: _created(stage, topic), _ANSWER_SECONDS)
    else:
        for grown in admin.create_partitions([NewPartitions(topic, PARTITIONS + 2)]).values():
            grown.result(_ANSWER_SECONDS)


def _created(stage: Stage, topic: str) -> bool:
    """A topic's name is free again a moment after it is gone."""
    try:
        stage.kafka.create_topics({topic: PARTITIONS})
    except Exception:  # noqa: BLE001 - whatever it is, it is tried again or the row says so
        return False
    return True


def _error(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "rror" in line), lines[-1] if lines else "")[:300]
