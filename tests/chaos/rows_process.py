"""Rows 1, 2, 3, 4 and 12 of the fault matrix: what if a process of beckon dies, ends, stands still or joins?"""

from __future__ import annotations

import signal
from collections.abc import Iterator

from tests.chaos.inside.sitecustomize import POINTS
from tests.chaos.lab import Lab, rounds_of
from tests.chaos.outcome import RECOVERY_SECONDS, Outcome
from tests.chaos.stage import Stage
from tests.chaos.worker import Worker, inside, last_words

_ALLOWED = RECOVERY_SECONDS
_SESSION_SECONDS = 6.0  # after which the group gives away what a silent member had
_DRAIN_SECONDS = 10.0
_JOINED_SECONDS = 40.0
_HOPELESS_SECONDS = 60.0
_FULL = [1, 1, 1, 1]  # shards of each member


def killed(lab: Lab, points: int) -> Iterator[Outcome]:
    """1: kill -9 of any or all of one, two or three processes, at any moment."""
    for number, count in enumerate(rounds_of(points, 10)):
        with lab.stage("1") as stage:
            stage.begin(workers=1 + number % 3)
            for _ in range(count):
                stage.wait(0.2, 1.8)
                victims = stage.rng.sample(stage.workers, stage.rng.randint(1, len(stage.workers)))
                stage.kill(victims)
                took = stage.await_progress()
                stage.note(f"kill -9 of {len(victims)} of {len(stage.workers)}", took, limit=_ALLOWED)
            yield stage.conclude()


def killed_at_a_step(lab: Lab, points: int) -> Iterator[Outcome]:
    """2: kill -9 before, in and after each step: script, begin, produce, offsets, commit, init."""
    order = [point for _ in range(points) for point in POINTS][:points]
    for at in range(0, points, len(POINTS)):
        with lab.stage("2") as stage:
            stage.begin()
            for point in order[at : at + len(POINTS)]:
                count = 1 if point.startswith("init") else stage.rng.randint(2, 40)
                stage.workers[0].terminate()
                stage.workers[0].wait(_DRAIN_SECONDS)
                stage.drop(stage.workers[0])
                victim = stage.start(environ=inside(CHAOS_CRASH=f"{point}:{count}"))
                died = stage.eventually(lambda: not stage.workers[0].runs, _HOPELESS_SECONDS)
                trouble = (
                    "" if died and victim.exit_code == -signal.SIGKILL else "it did not come to this step"
                )
                stage.drop(victim)
                stage.start()
                stage.note(
                    f"kill -9 at {point}, time {count}", stage.await_progress(), trouble, limit=_ALLOWED
                )
            yield stage.conclude()


def terminated(lab: Lab, points: int) -> Iterator[Outcome]:
    """3: SIGTERM: everything goes out, exit code 0, and the next one reads nothing again."""
    for count in rounds_of(points, 8):
        with lab.stage("3") as stage:
            stage.begin()
            for _ in range(count):
                stage.wait(0.2, 1.5)
                _terminate(stage)
            yield stage.conclude()


def _terminate(stage: Stage) -> None:
    """End one, look whether it left anything undone, start the next."""
    worker = stage.workers[0]
    worker.terminate()
    trouble = ""
    try:
        code = worker.wait(_DRAIN_SECONDS)
    except AssertionError:
        trouble = f"it did not end within {_DRAIN_SECONDS:.0f} s"
    else:
        trouble = "" if code == 0 else f"exit code {code}"
    left, lag = stage.shop.outbox(), stage.undone()
    if left:
        trouble += f" {left} entries left in the outbox"
    if lag:
        trouble += f" the group's offsets are {lag} records off the state: they would be read again"
    stage.drop(worker)
    stage.start()
    stage.note("SIGTERM", stage.await_progress(), trouble.strip(), limit=_ALLOWED)


def frozen(lab: Lab, points: int) -> Iterator[Outcome]:
    """4: SIGSTOP of one of two until the group has given its shards away, then SIGCONT."""
    for count in rounds_of(points, 3):
        with lab.stage("4") as stage:
            stage.begin(workers=2)
            for _ in range(count):
                stage.wait(0.5, 2.0)
                victim = stage.rng.choice(stage.workers)
                victim.freeze()
                stage.wait(_SESSION_SECONDS + 1.0, _SESSION_SECONDS + 2.0)
                away = stage.await_progress()
                victim.thaw()
                stage.wait(1.0, 2.0)
                for reason in stage.revive():
                    stage.notes["ended"] = reason
                stage.note(
                    f"SIGSTOP, its shards given away within {away:.1f} s, SIGCONT", stage.await_progress()
                )
            yield stage.conclude()


def stalled(lab: Lab, points: int) -> Iterator[Outcome]:
    """4b: SIGSTOP for less than a session: nobody takes the shards, and a backlog of all topics waits."""
    for count in rounds_of(points, 5):
        with lab.stage("4b") as stage:
            stage.begin()
            for _ in range(count):
                stage.wait(0.5, 2.0)
                stage.workers[0].freeze()
                stage.wait(2.0, _SESSION_SECONDS - 1.5)
                stage.workers[0].thaw()
                stage.note("SIGSTOP for less than a session, SIGCONT", stage.await_progress())
            yield stage.conclude()


def rescaled(lab: Lab, points: int) -> Iterator[Outcome]:
    """12: 1 -> 4 -> 2 with data in flight; one killed, one frozen; a rolling restart. Who stood still how long?"""
    for _ in range(points):
        with lab.stage("12", users_per_second=30.0) as stage:
            stage.begin()
            with stage.standstill() as still:
                for _ in range(3):
                    stage.start()
                joined = stage.eventually(lambda: stage.members() == _FULL, _JOINED_SECONDS)
            stage.note(
                f"1 -> 4 processes; {stage.members()} shards each stood still {still}",
                trouble="" if joined else "not shared out",
            )
            with stage.standstill() as still:
                stage.workers[1].kill()
                stage.drop(stage.workers[1])
                stage.workers[-1].freeze()
                stage.wait(_SESSION_SECONDS + 1.0, _SESSION_SECONDS + 3.0)
                took = stage.await_progress()
            stage.note(
                f"one killed and one frozen for good; {stage.members()} shards each stood still {still}", took
            )
            with stage.standstill() as still:
                stage.workers[-1].thaw()
                stage.wait(2.0, 4.0)
                for reason in stage.revive():
                    stage.notes["ended"] = reason
                took = stage.await_progress()
            stage.note(f"the frozen one goes on; {stage.members()} shards each stood still {still}", took)
            with stage.standstill() as still:
                _end(stage, stage.workers[0])
                stage.wait(_SESSION_SECONDS + 1.0, _SESSION_SECONDS + 2.0)
                took = stage.await_progress()
            stage.note(f"3 -> 2 processes; {stage.members()} shards each stood still {still}", took)
            for _ in range(2):
                with stage.standstill() as still:
                    _end(stage, stage.workers[0])
                    joined = stage.has_shards(stage.start())
                    took = stage.await_progress()
                what = f"rolling restart of one of two; {stage.members()} shards each stood still {still}"
                stage.note(what, took, "" if joined else "it got no shards", limit=_ALLOWED)
            yield stage.conclude()


def _end(stage: Stage, worker: Worker) -> None:
    worker.terminate()
    code = worker.wait(_DRAIN_SECONDS)
    if code != 0:
        stage.note("SIGTERM", trouble=f"{worker.name} ended with {code}: {last_words(worker)}")
    stage.drop(worker)
