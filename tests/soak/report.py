"""What came of a soak, on one page?"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from tests.chaos.outcome import Outcome
from tests.soak.flatness import GROWTH_LIMIT, Sample, queue, trend
from tests.soak.scene import STEADY

QUEUES: Final = ("records not read yet", "messages in the outbox", "timers")
_MB: Final = 1e6


def words(series: Mapping[str, Sequence[Sample]], warm_up_seconds: float) -> dict[str, str]:
    """What is said of the process that is never killed, and of each queue."""
    memory = trend(series.get(STEADY, []), warm_up_seconds)
    found = {STEADY: "too short" if memory is None else memory.word}
    for name in QUEUES:
        waiting = queue(series.get(name, []), warm_up_seconds)
        found[name] = "too short" if waiting is None else waiting.word
    return found


def markdown(
    outcome: Outcome,
    series: Mapping[str, Sequence[Sample]],
    *,
    minutes: float,
    warm_up_seconds: float,
    broken_brokers: int,
) -> str:
    """For docs/soak.md."""
    machine = f"{os.cpu_count()} CPUs, {platform.system()}, Python {platform.python_version()}"
    checked = outcome.verdict.get("checked", {})
    counts = (outcome.verdict.get("records", 0), checked.get("triggers", 0), checked.get("users", 0))
    return "\n".join(
        [
            "# The last soak",
            "",
            f"Made by `make soak` on {datetime.now(UTC):%Y-%m-%d}: {minutes:.0f} minutes, seed {outcome.seed},",
            f"{machine}.",
            "",
            "A shop goes on writing (some 60 events a second, 15 new users a second), two processes of beckon share",
            "four partitions on a real Kafka and a real Redis, and every half minute something breaks at random. One",
            "of the two is never killed: of it a leak would be seen. In the end the program that judges chaos runs",
            "(`tests/chaos/verifier.py`) tells the story anew and compares every trigger and every user.",
            "",
            "**Exactness: {}**, {:,} records, {:,} triggers, {:,} users.".format(outcome.word, *counts),
            "",
            *_brokers(broken_brokers),
            "## Memory",
            "",
            f"After a warm-up of {warm_up_seconds / 60:.0f} minutes; growth in percent of the mean an hour, by the",
            f"medians of twelve blocks of time, with a range of 95 %. Allowed is less than {GROWTH_LIMIT:.0f} %:",
            "*flat* is said only where the whole range is below, *grows* where all of it is above; else the run was",
            "too short to tell.",
            "",
            "| | mean | growth | |",
            "| --- | --- | --- | --- |",
            *_memory(series, warm_up_seconds),
            "",
            *_others(series),
            "",
            "## Queues",
            "",
            "The middle of what waited in the first and in the last third after the warm-up, and the most of all.",
            "",
            "| | first third | last third | most | |",
            "| --- | --- | --- | --- | --- |",
            *_queues(series, warm_up_seconds),
            "",
            "## Faults",
            "",
            "| fault | times | all is read again after, middle | longest |",
            "| --- | --- | --- | --- |",
            *_faults(outcome),
            "",
            *(f"- {name}: {text}" for name, text in outcome.notes.items()),
            *_troubles(outcome),
        ]
    )


def _brokers(broken: int) -> list[str]:
    if not broken:
        return []
    return [
        f"After kill -9 Kafka's group coordinator refused everybody {broken} times (its state machine *is out of",
        "sync with the underlying log*, as it says itself) until the broker was started once more.",
        "",
    ]


def _memory(series: Mapping[str, Sequence[Sample]], warm_up_seconds: float) -> Iterator[str]:
    found = trend(series.get(STEADY, []), warm_up_seconds)
    if found is None:
        yield f"| {STEADY} | | | too short to tell |"
        return
    growth = f"{found.slope:+.2f} % (± {found.unsure:.2f})"
    yield f"| {STEADY} | {found.mean / _MB:.1f} MB | {growth} | {found.word} |"


def _others(series: Mapping[str, Sequence[Sample]]) -> Iterator[str]:
    for name, samples in series.items():
        if name not in (STEADY, *QUEUES) and samples:
            values = [value / _MB for _, value in samples]
            yield (
                f"{name}: {values[0]:.1f} MB at first, {values[-1]:.1f} MB at last, {max(values):.1f} MB at most."
            )
    yield "A process that is killed begins anew each time, Redis keeps every user: neither is judged."


def _queues(series: Mapping[str, Sequence[Sample]], warm_up_seconds: float) -> Iterator[str]:
    for name in QUEUES:
        found = queue(series.get(name, []), warm_up_seconds)
        if found is None:
            yield f"| {name} | | | | too short to tell |"
        else:
            yield f"| {name} | {found.early:.0f} | {found.late:.0f} | {found.most:.0f} | {found.word} |"


def _faults(outcome: Outcome) -> Iterator[str]:
    for name in sorted({point.what for point in outcome.points if point.fault}):
        took = [point.recovery_seconds or 0.0 for point in outcome.points if point.what == name]
        yield f"| {name} | {len(took)} | {statistics.median(took):.1f} s | {max(took):.1f} s |"


def _troubles(outcome: Outcome) -> list[str]:
    found = [f"- {point.what}: {point.trouble}" for point in outcome.points if point.trouble]
    return ["## Troubles", "", *found, ""] if found else []
