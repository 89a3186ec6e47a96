"""What does `beckon doctor` ask the brokers, beyond whether they answer? Copies, settings, and who reads how far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from config.settings import Settings
from connectors.log import LogError
from console.check import Finding
from flows import rights, topics
from flows.startup import sources_of

if TYPE_CHECKING:
    from connectors.brokers import Brokers


def group_members(settings: Settings) -> int:
    """How many processes work; 0 also where the brokers do not say."""
    try:
        return topics.brokers_of(settings).group_members(settings.kafka.group_id)
    except LogError:
        return 0


def brokers_examined(settings: Settings, members: int) -> Iterator[Finding]:
    brokers = topics.brokers_of(settings)
    yield from _answered(settings, _copies(settings, brokers))
    yield from _answered(settings, _settings(settings, brokers))
    yield from _answered(settings, _lag(settings, brokers, members))


def _answered(settings: Settings, findings: Iterator[Finding]) -> Iterator[Finding]:
    """A right that is missing for one question says nothing of the next."""
    try:
        yield from findings
    except (LogError, KafkaException) as error:
        refused = "AUTHORIZATION_FAILED" in str(error)
        mend = rights.examination_mend(settings) if refused else "see the brokers' logs"
        yield Finding("kafka", False, f"not all questions were answered: {error}", mend)


def _copies(settings: Settings, brokers: Brokers) -> Iterator[Finding]:
    names = topics.names(settings).values()
    copies = brokers.copies(names)
    without = [place for place, (_, current) in copies.items() if not current]
    behind = [place for place, (wanted, current) in copies.items() if 0 < current < wanted]
    if without:
        text = f"{_places(without)} have no leader: nothing is read or written there"
        yield Finding("kafka", False, text, "bring the broker back that has them")
    if behind:
        text = f"{_places(behind)} have fewer copies up to date than they should"
        yield Finding("kafka", False, text, "kafka-topics.sh --describe --under-replicated-partitions")
    if not without and not behind:
        fewest = min((wanted for wanted, _ in copies.values()), default=0)
        yield Finding(
            "kafka", True, f"all {len(copies)} partitions have a leader and all copies, {fewest} at least"
        )


def _settings(settings: Settings, brokers: Brokers) -> Iterator[Finding]:
    """What a topic may be set to that loses something in silence."""
    names = topics.names(settings)
    configs = brokers.configs(set(names.values()))
    wanted_ms = int(settings.delivery.journal_retention)
    journal = names["journal"]
    kept_ms = int(configs[journal]["retention.ms"])
    alter = "kafka-configs.sh --alter --entity-type topics --entity-name"
    if 0 <= kept_ms < wanted_ms:
        text = (
            f"topic {journal} keeps {kept_ms / 86_400_000:.1f} days, delivery.journal_retention says "
            f"{settings.delivery.journal_retention}: after a longer outage nobody knows what is out"
        )
        yield Finding("topics", False, text, f"{alter} {journal} --add-config retention.ms={wanted_ms}")
    for name in sorted({journal, names["letters"], names["dead_letters"], *sources_of(settings).values()}):
        if "compact" in configs[name]["cleanup.policy"]:
            text = f"topic {name} is compacted: all but the last record of a key are deleted"
            yield Finding("topics", False, text, f"{alter} {name} --add-config cleanup.policy=delete")


def _lag(settings: Settings, brokers: Brokers, members: int) -> Iterator[Finding]:
    """Between the end of each topic and what the group has committed, as Kafka's own tools count it."""
    group, names = settings.kafka.group_id, sources_of(settings)
    existing = brokers.partitions()
    extents = brokers.extents((name, part) for name in names.values() for part in range(existing[name]))
    read = brokers.group_offsets(group, extents)
    lag: Counter[str] = Counter()
    for place, extent in extents.items():
        if place[0] not in (names["letters"], names["journal"]):  # markers of transactions count there
            lag[place[0]] += extent.end - max(read.get(place, extent.begin), extent.begin)
    behind = ", ".join(f"{name} {count:,}" for name, count in lag.most_common() if count) or "nothing"
    if members:
        processes = f"{members} process{'es' if members > 1 else ''}"
        yield Finding("group", True, f"{group}: {processes}, still to be read: {behind}")
    else:
        yield Finding("group", False, f"{group}: no process runs; still to be read: {behind}", "beckon run")


def _places(places: list[tuple[str, int]]) -> str:
    shown = ", ".join(f"{topic}/{part}" for topic, part in sorted(places)[:5])
    return shown + (f" and {len(places) - 5} more" if len(places) > 5 else "")
