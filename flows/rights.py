"""May we do at the brokers what we need? Asked of them without doing it; what is missing in words, with what mends it.

What each role of topic needs is the table of docs/security.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from config.settings import Settings
from connectors.brokers import Brokers
from flows import topics
from flows.topics import brokers_of
from state.events import TOPICS

Needs = Mapping[str, tuple[str, ...]]
"""Operations by topic name."""

_OURS: Final = ("letters", "journal")  # written and read again


def problems(settings: Settings) -> list[str]:
    """What `beckon run` may not do; but for transactions, which are asked about by beginning one."""
    brokers = brokers_of(settings)
    found = [*_on_topics(settings, brokers, needs_of(settings))]
    group = settings.kafka.group_id
    if not brokers.may_join(group):
        mend = _mend(settings, "Read", "--group", [group], "--resource-pattern-type prefixed")
        found.append(f"Kafka lets {_user(settings)} not read as group {group}. Mend: {mend}")
    return found


def service_problems(settings: Settings) -> list[str]:
    """What `beckon erase` may not do."""
    return [*_on_topics(settings, brokers_of(settings), {settings.kafka.topics.customers: ("WRITE",)})]


def transactions_mend(settings: Settings) -> str:
    return _mend(
        settings, "Write", "--transactional-id", [f"{settings.app}."], "--resource-pattern-type prefixed"
    )


def examination_mend(settings: Settings) -> str:
    """Of `doctor` and `rebuild`, which also ask how topics are set; `run` does not."""
    return _mend(settings, "DescribeConfigs", "--topic", topics.names(settings).values())


def needs_of(settings: Settings) -> Needs:
    """Of the flow: inputs are read, outputs are written, what shards tell each other is both."""
    return {name: _needs(role) for role, name in topics.names(settings).items()}


def _needs(role: str) -> tuple[str, ...]:
    if role in _OURS:
        return ("READ", "WRITE")
    return ("READ",) if role in TOPICS else ("WRITE",)


def _on_topics(settings: Settings, brokers: Brokers, needs: Needs) -> Iterator[str]:
    allowed = brokers.rights([*needs])
    for operation in ("READ", "WRITE"):
        denied = [
            name
            for name, operations in needs.items()
            if operation in operations and name in allowed and not {operation, "ALL"} & allowed[name]
        ]
        if denied:
            mend = _mend(settings, operation.capitalize(), "--topic", denied)
            yield f"Kafka lets {_user(settings)} not {operation.lower()} {', '.join(denied)}. Mend: {mend}"


def _mend(settings: Settings, operation: str, kind: str, names: Iterable[str], more: str = "") -> str:
    principal = settings.kafka.options.get("sasl.username") or "<name in our certificate>"
    chosen = " ".join(f"{kind} {name}" for name in names)
    return f"kafka-acls.sh --add --allow-principal 'User:{principal}' --operation {operation} {chosen} {more}".strip()


def _user(settings: Settings) -> str:
    name = settings.kafka.options.get("sasl.username")
    return f"user {name}" if name else "us"
