"""Is a guard worth anything that random schedules hardly need? The schedule that does, step by step.

Relabelling: an entry that is published after a scan must not keep its label, or a ledger that forgets the rewriting
of its outbox takes the label for its own history, and publishes again what stands behind it.

The last stable offset: since a successor ends its predecessor's transaction before it scans, a transaction that is
still pending in the journal is somebody else's. One such is enough for a scan that does not wait to miss what it says.

The heartbeat: what Redis forgets of a shard in which nothing happens any more nobody would miss.

The token: random, for Redis that forgets counts again from where it was, and two owners would have the same.

Reopening: who was stopped between commit and publication, and is given the same shard again, holds what its successor
has published meanwhile. Since owners are asked after each round's reads that shows itself in nearly every schedule.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from greenlet import getcurrent

from connectors.publisher import OutboxPublisher, Progress
from flows.outbox import Outbox
from state.ledger import Commit, Entry, Opened
from tests.simulation import broker, shop, store, transactions, wire
from tests.simulation.guards import REMOVED
from tests.simulation.schedule import FAIR, Guards, Schedule, Wrong, check
from tests.simulation.world import Faults, Process, World

MARKS = {"clickstream/0": 5}


class Alone(Process):
    """Nobody else is there: an I/O does not stop, and who sleeps lets come what is on its way."""

    def io(self, what: str) -> None:
        assert getcurrent() is self.world.hub

    def sleep(self, seconds: float) -> None:
        self.world.now += seconds
        self.world.let_come()


class Owner:
    """One opening of shard 0, driven by hand."""

    def __init__(self, name: str, kafka: broker.Broker, redis: store.Store) -> None:
        self.world = world = World(0, Faults())
        process = Alone(world, name, lambda _: None)
        log = wire.SimulatedLog(kafka, world, process, wire.Guards(), batch=1, members={})
        log.member = name
        self.name, self.kafka, self.redis, self.log = name, kafka, redis, log
        self.join()
        self.transactions = transactions.SimulatedTransactions(log, name)
        self.publisher = OutboxPublisher(self.transactions)
        opened = redis.do(lambda ledger: ledger.open(0, name, name))
        assert isinstance(opened, Opened)
        self.version = opened.version
        self.outbox = Outbox(0, name, opened, self.publisher.resume({0: opened})[0])

    def join(self) -> None:
        """The group's new generation, without opening anything."""
        self.kafka.join(self.name)
        self.log.generation = self.kafka.generation

    def commit(self) -> None:
        taken = self.outbox.take()
        commit = Commit(
            self.name, self.version, MARKS, outbox=taken.entries, trim=taken.trim, seq=taken.seq,
            trimmed_to=taken.trimmed_to, scan_from=taken.scan_from,
        )  # fmt: skip
        assert self.redis.commit(0, commit)
        self.version += 1
        self.outbox.acknowledged(Progress(dict(MARKS)))

    def write(self, name: str) -> None:
        self.outbox.write("triggers", name, b"u1", b"{}", [], partition=0)

    def publish(self) -> None:
        parcel = self.outbox.parcel(Progress(dict(MARKS)), offsets=False, journal=False)
        if parcel is not None:
            self.publisher.begin([parcel])
            positions = self.publisher.outcome(wait=True)
            assert positions is not None
            self.outbox.published(parcel, positions.get(0))


def published_ids() -> list[str]:
    """Said by a zombie's commit: its ledger holds e1 and e3, of which a successor had published e3 alone."""
    kafka = broker.Broker(1, broker.Guards())
    redis = store.Store(store.Guards())
    successor = Owner("b", kafka, redis)
    successor.write("e3")
    successor.commit()
    successor.publish()
    kafka.leave("b")
    redis.roll_back(
        len(redis.operations)
    )  # and the zombie, whose token is back, commits what it had in hand:
    redis.do(lambda ledger: ledger.open(0, "a", "a"))
    entries = [Entry("a", seq, name, "triggers", 0, b"u1", b"{}") for seq, name in ((1, "e1"), (2, "e3"))]
    assert redis.commit(0, Commit("a", 1, MARKS, outbox=entries, seq=2))
    third = Owner("c", kafka, redis)
    third.commit()  # rewrites the outbox to what is not out: e1
    third.publish()
    kafka.leave("c")
    redis.roll_back(2)  # forgets the rewriting, and who did it
    fourth = Owner("d", kafka, redis)
    fourth.commit()
    fourth.publish()
    return [kept.record_id for _, kept in kafka.committed_records("triggers", 0)]


def test_a_record_published_after_a_scan_has_a_label_of_its_own() -> None:
    assert sorted(published_ids()) == ["triggers/0/e1", "triggers/0/e3"]


def test_without_relabelling_it_would_be_published_twice() -> None:
    removed = next(each for each in REMOVED if each.name == "relabelling after a scan")
    with contextlib.ExitStack() as stack:
        stack.enter_context(removed.guards().patch())
        with pytest.raises(AssertionError):
            test_a_record_published_after_a_scan_has_a_label_of_its_own()


def ids_of_a_scan(guards: broker.Guards) -> set[str]:
    """Somebody's transaction pends in the journal as the scan begins, and is committed a second later."""
    kafka = broker.Broker(1, guards)
    owner = Owner("a", kafka, store.Store(store.Guards()))
    epoch = kafka.init("slow")
    kafka.produce("slow", epoch, transactions.JOURNAL, 0, broker.Kept(b"", None, "", ["e1"], None))
    owner.world.later(1.0, lambda: kafka.end("slow", epoch, commit=True))
    return owner.transactions.scan({0: -1})[0]


def test_a_scan_waits_for_what_is_pending_in_the_journal() -> None:
    assert ids_of_a_scan(broker.Guards()) == {"e1"}


def test_without_waiting_for_the_last_stable_offset_it_would_be_missed() -> None:
    assert ids_of_a_scan(broker.Guards(last_stable_offset=False)) == set()


def published_by_one_who_comes_back(*, opens_again: bool) -> list[str]:
    """Between its commit and its publication it was stopped, and a successor had the shard."""
    kafka, redis = broker.Broker(1, broker.Guards()), store.Store(store.Guards())
    first = Owner("a", kafka, redis)
    first.write("e1")
    first.commit()
    successor = Owner("b", kafka, redis)
    successor.commit()  # rewrites the outbox, as nothing is known of what is out
    successor.publish()
    kafka.leave("b")
    kafka.leave("a")
    if opens_again:
        first = Owner("a", kafka, redis)
        first.commit()
    else:
        first.join()
    first.publish()
    return [kept.record_id for _, kept in kafka.committed_records("triggers", 0)]


def test_who_comes_back_to_a_shard_opens_it_again() -> None:
    assert published_by_one_who_comes_back(opens_again=True) == ["triggers/0/e1"]


def test_without_reopening_it_would_publish_what_its_successor_did() -> None:
    assert published_by_one_who_comes_back(opens_again=False) == ["triggers/0/e1", "triggers/0/e1"]


def _forgets_after_the_shop_has_closed(guards: Guards) -> None:
    schedule = Schedule(0, 0, FAIR, guards)
    schedule.world.later(shop.SECONDS + 60, lambda: schedule.store.roll_back(20))
    check(schedule, 0)


def test_a_quiet_shard_notices_what_redis_has_forgotten() -> None:
    _forgets_after_the_shop_has_closed(Guards())


def test_without_a_heartbeat_it_would_not() -> None:
    with pytest.raises(Wrong, match=r"user \w+: "):
        _forgets_after_the_shop_has_closed(Guards(heartbeat=False))


def _former_owner_may_commit(token: Callable[[store.Store], str]) -> bool:
    """Redis forgets that somebody has opened a shard, somebody else opens it, and the first one goes on."""
    redis = store.Store(store.Guards())

    def opening() -> Commit:
        name = token(redis)
        opened = redis.do(lambda ledger: ledger.open(0, name, name))
        assert isinstance(opened, Opened)
        return Commit(name, opened.version, MARKS)

    former = opening()
    redis.roll_back(1)
    successor = opening()
    assert former.version == successor.version, "by the version alone they are one"
    return redis.commit(0, former)


def test_who_was_forgotten_is_not_taken_for_the_successor() -> None:
    tokens = iter("ab")
    assert not _former_owner_may_commit(lambda _: next(tokens))


def test_with_a_counter_for_a_token_it_would_be() -> None:
    assert _former_owner_may_commit(lambda redis: f"c{redis.ledger.version_of(0)}")
