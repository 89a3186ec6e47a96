"""How is lost state made again? If the topics still tell all of it, let every shard begin at their beginning.

Nothing is made here: the next `beckon run` reads everything again. What it does again is in the journal and does
not go out a second time; so the permission is a place in the journal, written into each empty ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from config.settings import Settings
from connectors.brokers import Brokers, Extent, Place
from flows import privacy, rights, startup
from flows.startup import JOURNAL, sources_of
from flows.topics import BEGIN_ANEW, brokers_of
from state.ledger import Commit, Store
from state.user import LAYOUT

_FOLLOWS = {
    "clickstream": "views, carts and favourites from before are unknown",
    "orders": "orders from before are unknown: R, F and M are too low, a regular customer may look like a new one",
    "inventory": "stock and price are unknown until they change again",
    "customers": "registrations, consent, linked ids and erasures from before are unknown: who was erased or said no "
    "may be written to",
    "engagement": "what was opened and clicked before is unknown",
    "context": "nothing, today",
    "letters": "what shards told each other before is unknown",
    JOURNAL: "what was published before is not known to be out: triggers that the inputs still tell of come a second "
    "time, with the same ids",
}


class CannotRebuild(Exception):
    """Nothing was changed; the text has every reason, and what helps."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("nothing was changed:" + "".join(f"\n  - {why}" for why in reasons))


class Found(Struct):
    """What the log has left, by place: how far it reaches, when its first record was written.

    `cut`: in words, what is missing of it.
    """

    extents: dict[Place, Extent]
    first_ms: dict[Place, int]
    cut: list[str]


class Amount(Struct, frozen=True):
    """What there is to read again of a topic, transaction markers included; `since`: its oldest record, epoch ms."""

    topic: str
    records: int
    since: int | None


class Permitted(Struct):
    """`missing`: in words, what the topics no longer hold."""

    shards: int
    missing: list[str]
    amounts: list[Amount]


def run(
    settings: Settings,
    store: Store,
    new_owner: Callable[[], str],
    *,
    what_is_left: bool,
    progress: Callable[[int, int], None],
) -> Permitted:
    """Permit it, or raise CannotRebuild with all reasons."""
    if settings.source.kind != "kafka":
        raise CannotRebuild(["it is for Kafka; history in files is read by `beckon replay`"])
    found, reasons = _look(settings, store, progress)
    if found.cut and not what_is_left:
        reasons += [*found.cut, "to go on with what is left all the same: beckon rebuild --what-is-left"]
    if reasons:
        raise CannotRebuild(reasons)
    brokers = brokers_of(settings)
    names = sources_of(settings)
    shards = brokers.partitions()[names["letters"]]
    store.prepare(shards, LAYOUT)
    store.record(privacy.remembered(settings) | startup.origin_of(settings, brokers))
    for shard in range(shards):
        _permit(store, shard, new_owner(), found.extents[names[JOURNAL], shard].begin)
        progress(len(found.extents) + shard + 1, len(found.extents) + shards)
    return Permitted(shards, found.cut, list(_amounts(names, found)))


def _look(settings: Settings, store: Store, progress: Callable[[int, int], None]) -> tuple[Found, list[str]]:
    """What there is to read, and what forbids to begin."""
    found = Found({}, {}, [])
    reasons = [*store.dangers(), *(rights.problems(settings) or startup.misfits(settings, store.recorded()))]
    brokers, group = brokers_of(settings), settings.kafka.group_id
    members = brokers.group_members(group)
    if members:
        reasons.append(
            f"the group {group} has {members} member{'s' if members > 1 else ''}: stop `beckon run` everywhere; one "
            "that was killed leaves after some seconds"
        )
    held = sorted(store.in_use())
    if held:
        reasons.append(
            f"shards {', '.join(map(str, held))} are not empty: `beckon run` goes on with what is there. beckon "
            f"deletes no state; if this is worthless, delete all keys that begin with {{{settings.app}:s"
        )
    if reasons:  # topics may be missing
        return found, reasons
    names, existing = sources_of(settings), brokers.partitions()
    found.extents = brokers.extents((name, p) for name in names.values() for p in range(existing[name]))
    reasons += _shortened(brokers.group_offsets(group, found.extents), found.extents)
    found.first_ms = brokers.first_records_ms(found.extents, progress)
    found.cut = list(_cuts(brokers, names, found))
    return found, reasons


def _shortened(read: Mapping[Place, int], extents: Mapping[Place, Extent]) -> Iterator[str]:
    """The group has read further than there is now: it is another log."""
    for place, at in sorted(read.items()):
        if at > extents[place].end:
            yield (
                f"topic {place[0]}, partition {place[1]} ends at {extents[place].end}, but was read up to {at}: it was "
                f"created again, or the brokers have lost its end. Restore it, or {BEGIN_ANEW}"
            )


def _cuts(brokers: Brokers, names: Mapping[str, str], found: Found) -> Iterator[str]:
    """Every place where the beginning is missing, and what follows from that."""
    roles = {name: role for role, name in names.items()}
    for place, extent in sorted(found.extents.items()):
        if extent.begin == 0:
            continue
        first = found.first_ms.get(place)
        since = "and nothing is left" if first is None else f"written {utc(first)}"
        yield (
            f"topic {place[0]}, partition {place[1]} begins at offset {extent.begin}, {since}: "
            f"{_FOLLOWS[roles[place[0]]]}"
        )
    for name in sorted(brokers.compacted(roles)):
        yield f"topic {name} is compacted, only the last record of a key is left: {_FOLLOWS[roles[name]]}"


def _permit(store: Store, shard: int, owner: str, scan_from: int) -> None:
    """The next owner finds no marks, so it reads from the beginning, and is told where the journal begins."""
    version = store.open(shard, owner).version
    store.begin_commit(shard, Commit(owner, version, scan_from=scan_from))
    if store.finish_commits() != [True]:
        raise CannotRebuild(
            [f"shard {shard} was opened by a running process meanwhile: stop it, and try again"]
        )


def _amounts(names: Mapping[str, str], found: Found) -> Iterator[Amount]:
    """How much, and since when: an operator sees here whether a topic is the one it was."""
    for name in names.values():
        extents = [extent for place, extent in found.extents.items() if place[0] == name]
        since = min((ms for place, ms in found.first_ms.items() if place[0] == name), default=None)
        yield Amount(name, sum(extent.end - extent.begin for extent in extents), since)


def utc(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
