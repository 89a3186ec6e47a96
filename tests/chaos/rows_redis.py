"""Rows 5 to 8 of the fault matrix: what if Redis dies, forgets, is full, or does not obey?"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from tests.chaos.lab import Lab, rounds_of
from tests.chaos.network import ProxyProcess
from tests.chaos.outcome import Outcome
from tests.chaos.stage import Stage
from tests.servers.ports import free_port
from tests.servers.redis import RedisServer

_ALLOWED = 30.0  # beckon asks an absent Redis ever more seldom, up to every 3 s
_BROKEN_SECONDS = (2.0, 5.0)
_REFUSED_SECONDS = 30.0
_SYNCED_SECONDS = 20.0
_SESSION_SECONDS = 8.0
_WAYS = ("flushed", "another database", "evicting", "flushed under way")
_FILLING = 2_000_000
_LOOP = """
local function now() local t = redis.call('TIME') return t[1] + t[2] / 1000000 end
local ends = now() + ARGV[1]
while now() < ends do end
return 1
"""
_ROLLBACK = "Redis has lost a tail of what it acknowledged"


def killed(lab: Lab, points: int) -> Iterator[Outcome]:
    """5: Redis is killed with kill -9, with an fsync every second, and comes back."""
    for count in rounds_of(points, 10):
        with lab.own_redis() as store, lab.stage("5", redis=store) as stage:
            stage.begin()
            for _ in range(count):
                stage.wait(0.3, 2.0)
                store.kill()
                stage.wait(0.0, 1.0)
                store.start()
                _recover(stage, "Redis killed")
            yield _concluded(stage)


def truncated(lab: Lab, points: int) -> Iterator[Outcome]:
    """6: Redis is killed, and comes back without the last 1 to 100 KB of its append only file."""
    for count in rounds_of(points, 5):
        with lab.own_redis() as store, lab.stage("6", redis=store) as stage:
            stage.begin()
            for _ in range(count):
                stage.wait(1.5, 3.0)
                store.kill()
                lost = cut_tail(store.directory, stage.rng.randint(1_000, 100_000))
                store.start()
                _recover(stage, f"{lost} bytes of acknowledged writes lost")
            yield _concluded(stage)


def cut_tail(directory: Path, size: int) -> int:
    """Cut the end off the append only file; Redis itself drops a command cut in two. How many bytes."""
    newest = max((directory / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
    length = newest.stat().st_size
    kept = max(0, length - size)
    with newest.open("rb+") as file:
        file.truncate(kept)
    return length - kept


def failed_over(lab: Lab, points: int) -> Iterator[Outcome]:
    """6b: the replica that takes over has been cut off for a while: it lacks what was acknowledged since."""
    for count in rounds_of(points, 3):
        with lab.own_redis() as first, lab.own_redis() as second:
            to = _address(first)
            with ProxyProcess(to) as link, ProxyProcess(to) as front:
                through = {"redis": {"url": f"redis://127.0.0.1:{front.port}/0"}}
                with lab.stage("6b", redis=first, through=through) as stage:
                    stage.begin()
                    masters = [first, second]
                    for _ in range(count):
                        _fail_over(stage, masters, link, front)
                        masters.reverse()
                        _recover(stage, "failover to a replica that lagged", limit=60.0)
                    yield _concluded(stage)


def _fail_over(stage: Stage, masters: list[RedisServer], link: ProxyProcess, front: ProxyProcess) -> None:
    old, new = masters
    link.tell(f"to {_address(old)}")
    link.tell("heal")
    with redis.Redis.from_url(new.url) as replica:
        replica.replicaof("127.0.0.1", link.port)
        assert stage.eventually(lambda: _synced(replica), _SYNCED_SECONDS), "the replica does not follow"
        stage.wait(0.5, 1.0)
        link.tell("cut")
        stage.wait(0.2, 2.0)  # acknowledged by the old one, unknown to the new one
        front.tell("cut")
        replica.replicaof("NO", "ONE")
    stage.move_to(new)
    front.tell(f"to {_address(new)}")
    front.tell("heal")


def _synced(replica: redis.Redis) -> bool:
    told: Any = replica.info("replication")
    return bool(told["master_link_status"] == "up")


def forgotten(lab: Lab, points: int) -> Iterator[Outcome]:
    """7: FLUSHALL, another database, another eviction policy: refused in words, and nothing goes out."""
    for number in range(points):
        with lab.own_redis() as store, lab.stage("7", redis=store) as stage:
            stage.begin()
            stage.wait(2.0, 3.0)
            _forget(stage, store, _WAYS[number % len(_WAYS)])
            yield _rebuilt(stage)


def _forget(stage: Stage, store: RedisServer, how: str) -> None:
    if how != "flushed under way":
        _stop_all(stage)
    before = len(stage.shop.read("triggers"))
    through: dict[str, Any] = {}
    with redis.Redis.from_url(store.url) as client:
        if how.startswith("flushed"):
            client.flushall()
        elif how == "evicting":
            client.config_set("maxmemory-policy", "allkeys-lru")
        else:
            through = {"redis": {"url": store.url.removesuffix("/0") + "/1"}}
    wanted = "maxmemory-policy" if how == "evicting" else "ledger is empty"
    stage.through = through
    worker = stage.workers[0] if stage.workers else stage.start()
    ended = stage.eventually(lambda: not worker.runs or wanted in worker.said(100_000), _REFUSED_SECONDS)
    said = worker.said(100_000)
    stage.drop(worker)
    trouble = "" if ended and wanted in said else f"it does not say that {wanted!r}: {said[-300:]}"
    if how != "flushed under way" and len(stage.shop.read("triggers")) != before:
        trouble += " it published all the same"
    stage.note(f"Redis {how}: refused", trouble=trouble)
    stage.through = {}
    if how == "evicting":
        with redis.Redis.from_url(store.url) as client:
            client.config_set("maxmemory-policy", "noeviction")
        stage.start()
        stage.note("allowed again", stage.await_progress(), limit=_ALLOWED)
    elif how == "another database":
        stage.start()
        stage.note("the right database", stage.await_progress(), limit=_ALLOWED)


def _rebuilt(stage: Stage) -> Outcome:
    """Where the state is gone, `beckon rebuild` makes it again."""
    if not any(stage.reached()):
        begun = time.monotonic()
        time.sleep(_SESSION_SECONDS)  # it refuses while the group still knows a member
        code, said = stage.command("rebuild")
        stage.note(
            "beckon rebuild",
            time.monotonic() - begun,
            "" if code == 0 else f"exit code {code}: {said[-300:]}",
        )
        stage.start()
        stage.note("after the rebuild", stage.await_progress(30.0), limit=_ALLOWED)
    return _concluded(stage)


def disobedient(lab: Lab, points: int) -> Iterator[Outcome]:
    """8: Redis is full (OOM), read only, frozen, busy with a script, or loading; then it is not."""
    for count in rounds_of(points, 10):
        with lab.own_redis() as store, lab.stage("8", redis=store) as stage:
            _fill(store)
            stage.begin()
            for number in range(count):
                stage.wait(0.5, 1.5)
                how = ("OOM", "READONLY", "frozen", "BUSY", "LOADING")[number % 5]
                _disobey(stage, store, how)
                _recover(stage, f"Redis {how}")
            yield _concluded(stage)


def _fill(store: RedisServer) -> None:
    """So much in another database that loading it can be seen."""
    with redis.Redis.from_url(store.url, db=9, socket_timeout=60) as client:
        client.eval(f"for n = 1, {_FILLING} do redis.call('SET', 'filler:' .. n, n) end", 0)


def _disobey(stage: Stage, store: RedisServer, how: str) -> None:
    seconds = stage.rng.uniform(*_BROKEN_SECONDS)
    if how == "LOADING":
        store.kill()
        store.start()
        return
    if how == "frozen":
        os.kill(store.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(store.pid, signal.SIGCONT)
        return
    with redis.Redis.from_url(store.url, socket_timeout=60) as client:
        if how == "OOM":
            client.config_set("maxmemory", "1mb")
            time.sleep(seconds)
            client.config_set("maxmemory", "0")
        elif how == "READONLY":
            client.replicaof("127.0.0.1", free_port())
            time.sleep(seconds)
            client.replicaof("NO", "ONE")
        else:
            client.config_set("busy-reply-threshold", "100")
            client.eval(_LOOP, 0, str(seconds))
            client.config_set("busy-reply-threshold", "5000")


def _recover(stage: Stage, what: str, *, limit: float = _ALLOWED) -> None:
    stage.note(what, stage.await_progress(), limit=limit)


def _concluded(stage: Stage) -> Outcome:
    detected = sum(_rollbacks(worker.log) for worker in stage.workers)
    stage.notes["shards whose rollback was noticed"] = str(detected)
    return stage.conclude()


def _rollbacks(log: Path) -> int:
    return len(re.findall(_ROLLBACK, log.read_text(errors="replace")))


def _stop_all(stage: Stage) -> None:
    for worker in list(stage.workers):
        worker.terminate()
        worker.wait(20)
        stage.drop(worker)


def _address(store: RedisServer) -> str:
    return store.url.removeprefix("redis://").partition("/")[0]
