"""Do all timers fire once, in order and in time, however few of them fit into memory?"""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from flows.merge import ALWAYS, NEVER
from flows.timers import Pace, Timers
from state.ledger import Commit
from state.memory_ledger import MemoryLedger

USERS = [f"u{n}" for n in range(8)]
OWNER = "a"


class SleepingUsers(RuleBasedStateMachine):
    """The memory of a shard beside its ledger, against a plain dictionary of due times.

    `wait` is how a flow asks for what is due, round by round: how far may time come, pop, commit, load.
    """

    @initialize(limit=st.integers(1, 3), most=st.integers(1, 4))
    def open(self, limit: int, most: int) -> None:
        self.limit, self.most = limit, most
        self.ledger = MemoryLedger(10)
        self.version = self.ledger.open(0, OWNER).version
        self.timers = Timers(limit)
        self.due: dict[str, int] = {}
        self.uncommitted: dict[str, int | None] = {}
        self.now = self.set_since = 0
        self.hints: Counter[int] = Counter()

    @rule(user=st.sampled_from(USERS), wait=st.integers(0, 30))
    def sleep(self, user: str, wait: int) -> None:
        """A user may be asked to wake at once, but never again at a moment that has been decided."""
        self.set(user, self.now + wait)

    @rule(user=st.sampled_from(USERS))
    def forget(self, user: str) -> None:
        if self.due.pop(user, None) is not None:
            self.uncommitted[user] = None

    @rule(users=st.lists(st.sampled_from(USERS), min_size=1, unique=True))
    def sleep_until_one_moment(self, users: list[str]) -> None:
        for user in users:
            self.set(user, self.now + 7)

    @rule()
    def commit(self) -> None:
        self.ledger.begin_commit(0, Commit(OWNER, self.version, timers=self.uncommitted))
        assert self.ledger.finish_commits() == [True]
        self.version += 1
        self.uncommitted = {}

    @rule()
    def reopen(self) -> None:
        """A new process knows what is in the ledger, and nothing else."""
        self.commit()
        self.version = self.ledger.open(0, OWNER).version
        self.timers = Timers(self.limit)

    @rule(by=st.integers(1, 20))
    def wait(self, by: int) -> None:
        self.now += by
        fired = self.pop_due(self.now)
        expected = sorted((due, user) for user, due in self.due.items() if due < self.now)
        assert [timer for timer in fired if self.due.get(timer[1]) == timer[0]] == expected
        for _, user in expected:
            del self.due[user]
            self.uncommitted[user] = None

    def set(self, user: str, due: int) -> None:
        self.due[user] = self.uncommitted[user] = due
        self.timers.set(user, due)
        self.set_since += 1
        self.hints[due] += 1

    def pop_due(self, before: int) -> list[tuple[int, str]]:
        """By rounds, of which none takes more than `most`, and time never goes back or past what is left."""
        found: list[tuple[int, str]] = []
        came = NEVER
        for _ in range(200):
            pace = self.timers.pace(before, self.most)
            self.set_since = 0
            assert came <= pace.until <= before
            came = pace.until
            taken = self.timers.pop_due(came) + self.timers.pop_ties(came, pace.ties)
            assert len(taken) <= self.most
            found += taken
            if came > self.timers.horizon:
                self.commit()
                self.timers.extend(self.ledger.load_timers(0, self.timers.horizon, self.limit), self.limit)
            if came == before:
                return list(dict.fromkeys(found))
        raise AssertionError("time stands still")

    @invariant()
    def memory_is_bounded(self) -> None:
        """But for those of one moment, which come together, and what was set since a round began."""
        assert len(self.timers) <= 2 * self.limit + max(self.hints.values(), default=0) + self.set_since

    @invariant()
    def the_heap_has_what_it_says_it_has(self) -> None:
        """Every timer up to the horizon is in memory, so the next one due is never missed."""
        near = [due for due in self.due.values() if due <= self.timers.horizon]
        if near:
            assert self.timers.earliest <= min(near)


TestSleepingUsers = SleepingUsers.TestCase
TestSleepingUsers.settings = settings(stateful_step_count=60, deadline=None)


def test_a_new_shard_knows_of_no_timer() -> None:
    timers = Timers(3)
    timers.set("u1", 5)
    assert (len(timers), timers.horizon, timers.earliest) == (0, NEVER, ALWAYS)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=40), st.integers(1, 4))
def test_the_heap_keeps_the_earliest(due: list[int], limit: int) -> None:
    timers = Timers(limit)
    timers.extend([], limit)
    for number, at in enumerate(due):
        timers.set(f"u{number}", at)
    timers.pace(0, 1)
    assert len(timers) <= max(2 * limit, due.count(min(due)))
    assert timers.pop_due(timers.horizon + 1) == sorted(
        (at, f"u{number}") for number, at in enumerate(due) if at <= timers.horizon
    )


def test_of_more_timers_of_one_moment_than_the_limit_all_are_loaded_and_a_round_takes_some() -> None:
    ledger = MemoryLedger(10)
    version = ledger.open(0, OWNER).version
    ledger.begin_commit(0, Commit(OWNER, version, timers={**dict.fromkeys(USERS, 50), "later": 60}))
    timers = Timers(2)
    timers.extend(ledger.load_timers(0, NEVER, 2), 2)
    rounds = []
    while (pace := timers.pace(51, 3)).ties:
        assert (pace.until, timers.pop_due(50)) == (50, [])
        rounds.append([user for _, user in timers.pop_ties(50, pace.ties)])
    assert pace == Pace(51, 2)
    assert [*rounds, [user for _, user in timers.pop_due(51)]] == [USERS[:3], USERS[3:6], USERS[6:]]


def test_time_comes_as_far_as_there_is_room_for_timers() -> None:
    timers = Timers(5)
    timers.extend([(50, "u1"), (50, "u2"), (60, "u3")], 5)
    assert timers.pace(50, 0) == Pace(50)
    assert timers.pace(100, 0) == Pace(50)
    assert timers.pace(100, 1) == Pace(50, 1, ties=1)
    assert timers.pace(100, 2) == Pace(60, 2)
    assert timers.pace(100, 3) == Pace(100, 3)


def test_only_when_a_round_begins_are_the_later_half_left_to_the_ledger() -> None:
    """Within a round they may be those that are due in it."""
    timers = Timers(2)
    timers.extend([], 2)
    for number in range(9):
        timers.set(f"u{number}", number)
    assert len(timers) == 9
    assert timers.pace(100, 5) == Pace(1, 1)
    assert (len(timers), timers.horizon) == (1, 0)
