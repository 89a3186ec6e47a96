"""By which names are people known here, their ids or pseudonyms, and does the state know them by the same?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from config.settings import Settings
from connectors.log import LogError
from connectors.pseudonyms import Pseudonyms
from flows.topics import BEGIN_ANEW

PSEUDONYMS: Final = "pseudonyms"
"""What the store remembers of it, beside where the input comes from: the fingerprint of the key, or NONE."""

NONE: Final = "none"


def pseudonyms_of(settings: Settings) -> Pseudonyms | None:
    """None where ids are kept as they come."""
    if not settings.privacy.pseudonymise:
        return None
    return Pseudonyms(settings.privacy.key, _partitions(settings))


def name_of(settings: Settings, person: str) -> str:
    """By which name the state has a person whom somebody names by id, or by pseudonym."""
    pseudonyms = pseudonyms_of(settings)
    return person if pseudonyms is None else pseudonyms.meant(person)


def remembered(settings: Settings) -> dict[str, str]:
    """What the store is to remember."""
    pseudonyms = pseudonyms_of(settings)
    return {PSEUDONYMS: NONE if pseudonyms is None else pseudonyms.fingerprint}


def problems(settings: Settings, recorded: Mapping[str, str]) -> Iterator[str]:
    """Why this state must not go on by these settings: each person would be two from now on."""
    unsaid = NONE if "shards" in recorded else ""  # by a release that knew of no pseudonyms
    before, now = recorded.get(PSEUDONYMS, unsaid), remembered(settings)[PSEUDONYMS]
    if before in ("", now):
        return
    app = settings.app
    if before == NONE:
        yield (
            f"the state under app {app} knows people by their ids, and privacy.pseudonymise is true: whoever is known "
            f"would be a stranger. Write privacy.pseudonymise: false, or {BEGIN_ANEW}"
        )
    elif now == NONE:
        yield (
            f"the state under app {app} knows people by pseudonyms, and privacy.pseudonymise is false: whoever is "
            f"known would be a stranger, and ids would come in. Write privacy.pseudonymise: true, or {BEGIN_ANEW}"
        )
    else:
        yield (
            f"the state under app {app} was made with another privacy.key (its fingerprint is {before}, this one's "
            f"{now}): whoever is known would be a stranger. Put the key back, or {BEGIN_ANEW}"
        )


def partition_problems(settings: Settings, shards: int) -> Iterator[str]:
    """Why pseudonyms would be made for another number of partitions than there are."""
    if settings.privacy.pseudonymise and shards != _partitions(settings):
        name = f"{settings.source.kind}.partitions"
        yield (
            f"{name} is {_partitions(settings)}, but there are {shards} shards: a pseudonym lies on the partition of "
            f"its id only among as many as it was made for. Write {name}: {shards}"
        )


def check_partitions(settings: Settings, shards: int) -> None:
    """Raise LogError where there is one."""
    for why in partition_problems(settings, shards):
        raise LogError(why)


def _partitions(settings: Settings) -> int:
    """As configured, not as found: a replay in one shard, and a command that asks nobody, must find the same."""
    return settings.kafka.partitions if settings.source.kind == "kafka" else settings.files.partitions
