"""Are the topics there, and shaped as the shards need them? Create what is missing, say what differs."""

from __future__ import annotations

import time
from collections.abc import Mapping

from msgspec import Struct

from config.settings import Settings
from connectors.brokers import Brokers
from connectors.co_partition import USER_KEYED

BEGIN_ANEW = "begin anew: another `app` and `kafka.group_id`, letters and journal of its own"
_BY_SHARD = ("triggers", "decisions", "dead_letters", "journal")
_HEARD_SECONDS, _PAUSE_SECONDS = 15.0, 0.05


def names(settings: Settings) -> dict[str, str]:
    """Topic name by role, outputs included; with one topic a rule, a role `triggers.<rule>` each."""
    topics = settings.kafka.topics
    found = {role: getattr(topics, role) for role in topics.__struct_fields__}
    if settings.kafka.triggers_per_rule:
        triggers = found.pop("triggers")
        found |= {f"triggers.{rule}": f"{triggers}.{rule}" for rule in settings.rules}
    return found


class Made(Struct, frozen=True):
    """A topic as it is now, and whether it was made just now."""

    topic: str
    partitions: int
    created: bool


def create(settings: Settings) -> list[Made]:
    """Create missing topics; says so of each, also of those that exist."""
    brokers = brokers_of(settings)
    existing = brokers.partitions()
    kafka = settings.kafka
    found: list[Made] = []
    for role, name in names(settings).items():
        if name in existing:
            found.append(Made(name, existing[name], created=False))
            continue
        keep = settings.delivery.journal_retention
        own = {"retention.ms": str(int(keep))} if role == "journal" else {}
        brokers.create(name, kafka.partitions, kafka.replication_factor, own)
        found.append(Made(name, kafka.partitions, created=True))
    deadline = time.monotonic() + _HEARD_SECONDS  # a broker hears of a topic a little after it was created
    made = {each.topic for each in found}
    while not made <= brokers.partitions().keys() and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    return found


def problems(settings: Settings, recorded: Mapping[str, str]) -> list[str]:
    """What is wrong with the topics, in words; empty if nothing. `recorded`: what the store knows of earlier starts.

    What we may not see is a matter of rights (`flows/rights.py`), whether or not it is there.
    """
    brokers = brokers_of(settings)
    existing = brokers.partitions()
    wanted = names(settings)
    missing = [name for name in wanted.values() if name not in existing]
    if missing:
        hidden = brokers.rights(missing)
        missing = [name for name in missing if name not in hidden]
    found = [f"topics {', '.join(missing)} do not exist: run `beckon topics create`"] if missing else []
    shards = int(recorded.get("shards", existing.get(wanted["letters"], settings.kafka.partitions)))
    for role, name in wanted.items():
        count = existing.get(name)
        if count is None:
            continue
        before = recorded.get(f"{role}.partitions", str(count))
        if before != str(count):
            found.append(
                f"topic {name} has {count} partitions, it had {before} when its state was begun: other keys on other "
                f"partitions would meet another shard's state. Restore the topic, or {BEGIN_ANEW}"
            )
            continue
        keyed = role in USER_KEYED or role.startswith(_BY_SHARD)
        if (keyed and count != shards) or count > shards:
            need = f"exactly {shards}" if keyed else f"at most {shards}"
            why = "the shards of its state" if "shards" in recorded else f"as {wanted['letters']}"
            found.append(f"topic {name} has {count} partitions, needs {need} ({why})")
    return found


def brokers_of(settings: Settings) -> Brokers:
    kafka = settings.kafka
    return Brokers(kafka.bootstrap_servers, kafka.options, group_id=kafka.group_id)
