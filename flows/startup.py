"""May the service begin on this state, with these topics? Everything that speaks against it, at once.

The store remembers from the first start on where its state comes from: the consumer group, and name, id and
partitions of every topic that is read. State built from one log must not go on with another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from config.settings import Settings
from connectors.brokers import Brokers, Extent, Place
from connectors.log import LogError
from flows import privacy, rights, topics
from flows.assemble import input_topics
from flows.topics import BEGIN_ANEW, brokers_of
from state.ledger import Opened, Store, shape_problems
from state.user import LAYOUT

JOURNAL = "journal"


class NotAsBefore(Exception):
    """The service must not begin, or go on; the text has every reason, and what helps."""

    def __init__(self, reasons: Iterable[str], what: str = "begin") -> None:
        super().__init__(
            f"the service must not {what} like this:" + "".join(f"\n  - {why}" for why in reasons)
        )


def check(settings: Settings, store: Store) -> None:
    """Raise NotAsBefore if anything speaks against beginning; else remember where the input comes from."""
    reasons = [*store.dangers(), *problems(settings, store)]
    if reasons:
        raise NotAsBefore(reasons)
    store.record(privacy.remembered(settings))
    if settings.source.kind == "kafka":
        store.record(origin_of(settings, brokers_of(settings)))
    if reasons := [*privacy.problems(settings, store.recorded())]:  # somebody else has begun at this moment
        raise NotAsBefore(reasons)


def problems(settings: Settings, store: Store) -> list[str]:
    """What speaks against beginning on these topics with this state."""
    if settings.source.kind != "kafka":
        return [*privacy.problems(settings, store.recorded())]
    try:
        brokers_of(settings).partitions()  # of all questions the one whose failure says why nobody answers
        # What we may not see cannot be asked about.
        return rights.problems(settings) or topic_problems(settings, store)
    except LogError as error:
        return [str(error)]


def topic_problems(settings: Settings, store: Store) -> list[str]:
    """Of topics that we may read and write."""
    recorded = store.recorded()
    try:
        found = misfits(settings, recorded)
        brokers = brokers_of(settings)
        existing, origin = brokers.partitions(), origin_of(settings, brokers)
        shards = recorded.get("shards", existing.get(settings.kafka.topics.letters, 0))
        ledgers = [store.peek(shard) for shard in range(int(shards))]
        same = {r: name for r, name in sources_of(settings).items() if not _replaced(r, recorded, origin)}
        found += _outside(settings.app, same, brokers, existing, ledgers)
        found += _lost(settings, brokers, existing, ledgers)
    except LogError as error:
        return [str(error)]
    return found


def misfits(settings: Settings, recorded: Mapping[str, str], *, with_ids: bool = True) -> list[str]:
    """Topics, shards, a group or a key that are not those which the state was built from. Raises LogError.

    `with_ids`: whether a topic was created again, too.
    """
    # Whether there are as many shards as topics have partitions, the topics' own problems say.
    same = int(recorded.get("shards", 0))
    found = [f"the state under app {settings.app}: {why}" for why in shape_problems(recorded, same, LAYOUT)]
    found += privacy.problems(settings, recorded)
    found += topics.problems(settings, recorded)
    origin = origin_of(settings, brokers_of(settings), with_ids=with_ids)
    found += _changes(settings, recorded, origin)
    found += privacy.partition_problems(
        settings, int(origin.get("letters.partitions", settings.kafka.partitions))
    )
    return found


def sources_of(settings: Settings) -> dict[str, str]:
    """Topic name by role: all that is read, the journal too."""
    return {**input_topics(settings), JOURNAL: settings.kafka.topics.journal}


def origin_of(settings: Settings, brokers: Brokers, *, with_ids: bool = True) -> dict[str, str]:
    """What is remembered of where the input comes from; of topics that exist."""
    sources, existing = sources_of(settings), brokers.partitions()
    ids = brokers.topic_ids([name for name in sources.values() if name in existing]) if with_ids else {}
    found = {"group": settings.kafka.group_id}
    for role, name in sources.items():
        if name in existing:
            found |= {f"{role}.topic": name, f"{role}.partitions": str(existing[name])}
        if name in ids:
            found[f"{role}.id"] = ids[name]
    return found


def _changes(settings: Settings, recorded: Mapping[str, str], origin: Mapping[str, str]) -> Iterator[str]:
    """Another group or other topics than those the state was built from."""

    app = settings.app
    if _changed("group", recorded, origin):
        yield (
            f"the state under app {app} belongs to the consumer group {recorded['group']}, but kafka.group_id is "
            f"{origin['group']}: does another installation use this `app`? Give each its own. Or was the group "
            f"renamed? Then: redis-cli HDEL {{{app}}}:origin group"
        )
    for role, name in sources_of(settings).items():
        if _changed(f"{role}.topic", recorded, origin):
            yield (
                f"the state under app {app} was built from topic {recorded[f'{role}.topic']}, but kafka.topics.{role} "
                f"is {name}, where its offsets mean nothing: put the name back, or {BEGIN_ANEW}"
            )
        elif _changed(f"{role}.id", recorded, origin):
            yield (
                f"topic {name} was deleted and created again: how far the old one was read says nothing of the new "
                f"one. Restore the old one, or {BEGIN_ANEW}"
            )


def _replaced(role: str, recorded: Mapping[str, str], origin: Mapping[str, str]) -> bool:
    """Is it another topic than before? Marks in the old one say nothing of it then."""
    return any(_changed(f"{role}.{what}", recorded, origin) for what in ("topic", "id"))


def _changed(name: str, recorded: Mapping[str, str], origin: Mapping[str, str]) -> bool:
    return name in recorded and name in origin and recorded[name] != origin[name]


def _outside(
    app: str,
    names: Mapping[str, str],
    brokers: Brokers,
    existing: Mapping[str, int],
    ledgers: Sequence[Opened],
) -> Iterator[str]:
    """Marks that the log does not reach: reading cannot go on from there."""
    marks: dict[Place, tuple[int, str]] = {}
    for shard, ledger in enumerate(ledgers):
        for mark, at in ledger.marks.items():
            role, _, part = mark.rpartition("/")
            if role in names and int(part) < existing.get(names[role], 0):
                accept = f"redis-cli HSET {{{app}:s{shard:02d}}}:marks {mark}"
                marks[names[role], int(part)] = at, accept
    extents = brokers.extents(marks)
    for place, (at, accept) in sorted(marks.items()):
        if (why := _gap(place, at, extents[place], accept)) is not None:
            yield why


def _gap(place: Place, at: int, extent: Extent, accept: str) -> str | None:
    where = f"topic {place[0]}, partition {place[1]}"
    if at + 1 < extent.begin:
        missing = extent.begin - at - 1
        only = (
            ", or were marks of transactions, as nothing is left there" if extent.begin == extent.end else ""
        )
        return (
            f"{where}: it was read up to offset {at}, but begins at {extent.begin} now: {missing} records were deleted "
            f"before they were read{only}. Restore them; or accept their loss: {accept} {extent.begin - 1}"
        )
    if at + 1 > extent.end:
        return (
            f"{where}: it was read up to offset {at}, but ends at {extent.end} now: it was created again, or the "
            f"brokers have lost its end. Restore it, or {BEGIN_ANEW}"
        )
    return None


def _lost(
    settings: Settings, brokers: Brokers, existing: Mapping[str, int], ledgers: Sequence[Opened]
) -> Iterator[str]:
    """An installation has published, but nothing is known of anybody. The group may have forgotten it too by now."""
    if any(ledger.marks or ledger.scan_from >= 0 for ledger in ledgers):
        return
    journal = settings.kafka.topics.journal
    extents = brokers.extents((journal, part) for part in range(existing.get(journal, 0)))
    if any(extent.end for extent in extents.values()):
        yield (
            f"app {settings.app} has published, says the topic {journal}, but its ledger is empty. Is this the right "
            "Redis, database and `app`? If its state is lost: restore Redis, or run `beckon rebuild`, which makes it "
            "again from the topics. A new installation needs a letters and a journal topic of its own"
        )
