"""Are the topics there, and shaped as the shards need them? Create what is missing, say what differs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from config.settings import Settings
from connectors.kafka import USER_KEYED
from connectors.log import LogError

_ADMIN_SECONDS = 15.0
_HEARD_SECONDS = 0.05


def names(settings: Settings) -> dict[str, str]:
    """Topic name by role, outputs included; with one topic a rule, a role `triggers.<rule>` each."""
    topics = settings.kafka.topics
    found = {role: getattr(topics, role) for role in topics.__struct_fields__}
    if settings.kafka.triggers_per_rule:
        triggers = found.pop("triggers")
        found |= {f"triggers.{rule}": f"{triggers}.{rule}" for rule in settings.rules}
    return found


def create(settings: Settings) -> list[str]:
    """Create missing topics; a line for each, also for those that exist."""
    admin = _admin(settings)
    existing = _partitions(admin)
    kafka = settings.kafka
    lines, made = [], set()
    for name in names(settings).values():
        if name in existing:
            lines.append(f"{name}: exists with {existing[name]} partitions")
            continue
        topic = NewTopic(name, num_partitions=kafka.partitions, replication_factor=kafka.replication_factor)
        admin.create_topics([topic])[name].result(_ADMIN_SECONDS)
        made.add(name)
        lines.append(f"{name}: created with {kafka.partitions} partitions")
    deadline = time.monotonic() + _ADMIN_SECONDS  # a broker hears of a topic a little after it was created
    while not made <= _partitions(admin).keys() and time.monotonic() < deadline:
        time.sleep(_HEARD_SECONDS)
    return lines


def problems(settings: Settings) -> list[str]:
    """What is wrong with the topics, in words; empty if nothing."""
    try:
        existing = _partitions(_admin(settings))
    except LogError as error:
        return [str(error)]
    wanted = names(settings)
    missing = [name for name in wanted.values() if name not in existing]
    if missing:
        return [f"topics {', '.join(missing)} do not exist: run `beckon topics create`"]
    shards = existing[wanted["letters"]]
    found = []
    for role, name in wanted.items():
        count, keyed = (
            existing[name],
            role in USER_KEYED or role.startswith(("triggers", "decisions", "dead")),
        )
        if (keyed and count != shards) or count > shards:
            need = f"exactly {shards}" if keyed else f"at most {shards}"
            found.append(f"topic {name} has {count} partitions, needs {need} (as {wanted['letters']})")
    return found


def _admin(settings: Settings) -> AdminClient:
    options: Mapping[str, Any] = settings.kafka.options
    return AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers, **options})


def _partitions(admin: AdminClient) -> dict[str, int]:
    try:
        known = admin.list_topics(timeout=_ADMIN_SECONDS).topics
    except KafkaException as error:
        raise LogError(f"no Kafka broker answers: {error.args[0].str()}") from error
    return {name: len(topic.partitions) for name, topic in known.items()}
