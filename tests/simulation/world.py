"""Who goes next, and what time is it? One seed decides both: simulated processes, virtual time, faults.

A simulated process is a greenlet that runs the real code. Each of its inputs and outputs is a call of `io`, where
it stops and the world chooses who goes on: so whatever may happen between two I/Os of a process does. A process
that is killed never comes back from `io`, nor does anything it still tries on its way down.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable

from greenlet import GreenletExit, getcurrent, greenlet
from msgspec import Struct

START_MS = 1_790_000_000_000
_IO_SECONDS = 0.002
MOMENTS = frozenset(("produce", "journal", "offsets", "end", "commit", "open", "read the cursor", "scan"))
_MORE = 8
STEPS_LIMIT = 40_000


class Stuck(Exception):
    """The simulation does not come to its end: a livelock, or a wait for something that never comes."""


class Faults(Struct, frozen=True):
    """How often what goes wrong, each as a probability at one I/O; zero everywhere is fair weather."""

    lost_reply: float = 0.0  # of a ledger: it happened, the caller hears of a broken connection
    lost_commit: float = 0.0  # of a ledger: it did not happen
    lost_request: float = 0.0  # of the broker: it did not happen, the caller waits in vain
    late_request: float = 0.0  # of the broker: it happens later, the caller has given up
    crash: float = 0.0
    stop: float = 0.0  # as by SIGSTOP, for longer or shorter than a session
    rollback: float = 0.0
    churn: float = 0.0  # a process joins, or leaves in order


class Process:
    """One process. `alive`: not killed and not ended; it sleeps until `awake_at`, is stopped until `stopped_until`."""

    def __init__(self, world: World, name: str, run: Callable[[Process], None]) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.should_stop = False
        self.awake_at = 0.0
        self.stopped_until = 0.0
        self.failure: BaseException | None = None
        self._greenlet = greenlet(self._body, parent=world.hub)
        self._run = run

    def _body(self) -> None:
        try:
            self._run(self)
        except GreenletExit:
            pass  # killed
        except BaseException as error:  # noqa: BLE001 - the schedule judges it
            self.failure = error
        self.alive = False

    @property
    def may_go_on_at(self) -> float:
        return max(self.awake_at, self.stopped_until)

    @property
    def stopped(self) -> bool:
        return self.world.now < self.stopped_until

    def resume(self) -> None:
        self._greenlet.switch()

    def kill(self) -> None:
        self.alive = False
        self._greenlet.throw(GreenletExit())

    def io(self, what: str) -> None:
        """Called before each I/O."""
        self.world.ios.append(what)
        if len(self.world.ios) == self.world.crash_at:
            self._die()
        elif what in MOMENTS:
            self.strike()
        self._switch()

    def thread_io(self, what: str, again: Callable[[], object]) -> bool:
        """Before an I/O of the process's other thread, which a kill ends and a stop stops: may it be made?

        Where the process is stopped, `again` comes when it goes on.
        """
        if not self.alive:
            return False
        if not self.stopped and not self._survives(what):
            self.kill()
            return False
        if self.world.now < self.stopped_until:
            self.world.later(self.stopped_until - self.world.now, again)
            return False
        return True

    def _survives(self, what: str) -> bool:
        self.world.ios.append(what)
        if len(self.world.ios) == self.world.crash_at:
            self._die()
        else:
            self.strike()
        return self.alive

    def strike(self) -> None:
        """Where a record's fate is decided, faults come more often than the dice of each step would bring them."""
        world = self.world
        if world.chance(world.faults.stop * _MORE):
            self.stop()
        if world.chance(world.faults.crash * _MORE):
            self._die()

    def _die(self) -> None:
        self.world.note(f"{self.name} killed before {self.world.ios[-1]}")
        self.alive = False

    def stop(self) -> None:
        """As by SIGSTOP: not for long, or longer than a session."""
        self.stopped_until = self.world.now + self.world.rng.choice((0.5, 7.0, 12.0))
        self.world.note(f"{self.name} stopped until {self.stopped_until:.1f}")

    def sleep(self, seconds: float) -> None:
        until = self.world.now + seconds
        while self.world.now < until:
            self.awake_at = max(self.awake_at, until)
            self._switch()

    def _switch(self) -> None:
        if not self.alive:
            raise GreenletExit
        assert getcurrent() is self._greenlet
        self.world.hub.switch()
        if not self.alive:
            raise GreenletExit


class World:
    """`ios` are the I/Os made; `crash_at`: who is about to make that one, counted from 1, is killed instead."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.rng = random.Random(seed)
        self.faults = faults
        self.now = 0.0
        self.hub = getcurrent()
        self.processes: list[Process] = []
        self.calm = False  # the faults are over; what is under way comes to its end
        self.ios: list[str] = []
        self.crash_at = -1
        self.trace: list[str] = []
        self.steps = 0
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    @property
    def wall_ms(self) -> int:
        return START_MS + int(self.now * 1000)

    def chance(self, probability: float) -> bool:
        """Also in calm weather the dice are thrown, so that a schedule stays itself when faults are taken out."""
        return self.rng.random() < probability and not self.calm

    def note(self, what: str) -> None:
        self.trace.append(f"{self.now:9.3f} {what}")

    def later(self, seconds: float, work: Callable[[], object]) -> None:
        heapq.heappush(self._later, (self.now + seconds, next(self._numbers), work))

    def let_come(self) -> None:
        """What was on its way and is due by now."""
        while self._later and self._later[0][0] <= self.now:
            heapq.heappop(self._later)[2]()

    def start(self, name: str, run: Callable[[Process], None]) -> Process:
        process = Process(self, name, run)
        self.processes.append(process)
        return process

    @property
    def living(self) -> list[Process]:
        return [process for process in self.processes if process.alive]

    def step(self) -> None:
        """Let one process go on to its next I/O; or, if all sleep, let time pass."""
        self.steps += 1
        if self.steps > STEPS_LIMIT:
            raise Stuck(f"{self.steps} steps, {self.now:.0f} s")
        self.now += _IO_SECONDS
        self.let_come()
        awake = [process for process in self.living if process.may_go_on_at <= self.now]
        if not awake:
            times = [process.may_go_on_at for process in self.living]
            if self._later:
                times.append(self._later[0][0])
            if times:
                self.now = max(self.now, min(times))
            return
        process = self.rng.choice(awake)
        process.resume()
        if process.failure is not None:
            raise process.failure

    def crash(self, process: Process) -> None:
        self.note(f"{process.name} killed")
        process.kill()
