"""Rows 9, 10 and 11 of the fault matrix: what if the broker dies, answers late, or cannot be reached?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from tests.chaos.lab import Lab, rounds_of
from tests.chaos.network import ProxyProcess
from tests.chaos.outcome import RECOVERY_SECONDS, Outcome
from tests.chaos.stage import Stage
from tests.servers.kafka import KafkaServer
from tests.servers.ports import free_port

PRODUCE, OFFSET_FETCH, JOIN_GROUP, SYNC_GROUP = 0, 9, 11, 14
INIT_PRODUCER_ID, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT = 22, 24, 25, 26, 28
NAMES = {
    PRODUCE: "Produce",
    OFFSET_FETCH: "OffsetFetch",
    JOIN_GROUP: "JoinGroup",
    SYNC_GROUP: "SyncGroup",
    INIT_PRODUCER_ID: "InitProducerId",
    ADD_PARTITIONS: "AddPartitionsToTxn",
    ADD_OFFSETS: "AddOffsetsToTxn",
    END_TXN: "EndTxn",
    TXN_OFFSET_COMMIT: "TxnOffsetCommit",
}
_OFTEN = (PRODUCE, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT)
_SEEN_SECONDS = 45.0  # a hanging call is given up after 30 s
_LATE_SECONDS = 30.0
_PARTED_SECONDS = 60.0
_HEALTHY_SECONDS = 30.0
_UNKNOWN = "publishing did not succeed, asking what is out"


def bounced(lab: Lab, points: int) -> Iterator[Outcome]:
    """9: the broker is killed three times, each time in the middle of publishing."""
    for count in rounds_of(points, 4):
        with KafkaServer() as kafka, lab.stage("9", kafka=kafka) as stage:
            stage.begin()
            for _ in range(count):
                for _ in range(3):
                    stage.wait(0.5, 1.5)
                    stage.workload.pause()  # what is in the log is there; beckon is not done with it
                    stage.wait(0.0, 0.02)
                    kafka.kill()
                    stage.wait(0.0, 1.5)
                    kafka.restart()
                    stage.workload.resume()
                stage.note("broker killed three times", stage.await_progress())
            stage.notes["unknown outcomes"] = str(_said(stage, _UNKNOWN))
            yield stage.conclude()


def cut_replies(lab: Lab, points: int) -> Iterator[Outcome]:
    """10: the broker does what it was asked, and its reply is cut off."""
    with lab.proxied_kafka() as (kafka, proxy):
        for count in rounds_of(points, 10):
            with lab.stage("10", kafka=kafka, through=by(proxy)) as stage:
                stage.begin()
                for number in range(count):
                    stage.wait(0.2, 1.5)
                    key = END_TXN if number % 2 else stage.rng.choice(_OFTEN)
                    trouble = faulty(stage, proxy, key, "cut")
                    stage.note(f"reply to {NAMES[key]} cut off", stage.await_progress(), trouble, limit=60)
                stage.notes["unknown outcomes"] = str(_said(stage, _UNKNOWN))
                yield stage.conclude()


def late_replies(lab: Lab, points: int) -> Iterator[Outcome]:
    """10b: the reply to EndTxn comes 30 s late: nobody knows whether the transaction is out."""
    with lab.proxied_kafka() as (kafka, proxy):
        for count in rounds_of(points, 2):
            with lab.stage("10b", kafka=kafka, through=by(proxy)) as stage:
                stage.begin()
                for _ in range(count):
                    stage.wait(0.5, 1.5)
                    trouble = faulty(stage, proxy, END_TXN, str(_LATE_SECONDS))
                    stage.note("reply to EndTxn 30 s late", stage.await_progress(), trouble)
                unknown = _said(stage, _UNKNOWN)
                stage.notes["unknown outcomes"] = str(unknown)
                yield stage.conclude()


def parted_from_kafka(lab: Lab, points: int) -> Iterator[Outcome]:
    """11k: no byte passes between beckon and the broker for 60 s, one way or both, while the shop goes on."""
    with lab.proxied_kafka() as (kafka, proxy):
        for number in range(points):
            yield _parted(lab, proxy, ("both", "down", "up")[number % 3], kafka, "11k", by(proxy))


def parted_from_redis(lab: Lab, points: int) -> Iterator[Outcome]:
    """11r: no byte passes between beckon and Redis for 60 s, one way or both."""
    address = lab.redis.url.removeprefix("redis://").partition("/")[0]
    with ProxyProcess(address, seed=lab.seed) as proxy:
        through = {"redis": {"url": f"redis://127.0.0.1:{proxy.port}/0"}}
        for number in range(points):
            yield _parted(lab, proxy, ("both", "down", "up")[number % 3], lab.kafka, "11r", through)


def _parted(
    lab: Lab, proxy: ProxyProcess, way: str, kafka: KafkaServer, row: str, through: dict[str, Any]
) -> Outcome:
    port = free_port()
    settings = {"http": {"enabled": True, "port": port}}
    with lab.stage(row, kafka=kafka, through=through, settings=settings) as stage:
        stage.begin()
        green = stage.eventually(lambda: all(stage.well(port)), _HEALTHY_SECONDS)
        proxy.tell(f"hold {way}")
        begun = time.monotonic()
        red = stage.eventually(lambda: not any(stage.well(port)), _PARTED_SECONDS - 10)
        red_after = time.monotonic() - begun
        time.sleep(max(0.0, _PARTED_SECONDS - red_after))
        proxy.tell("heal")
        took = stage.await_progress()
        green_again = stage.eventually(lambda: all(stage.well(port)), _HEALTHY_SECONDS)
        trouble = [
            "" if green else "/healthz or /readyz was red before",
            "" if red else "/healthz or /readyz stayed green",
            "" if green_again else "/healthz or /readyz stayed red",
        ]
        what = f"{_PARTED_SECONDS:.0f} s without {way}; /healthz and /readyz red after {red_after:.0f} s"
        stage.note(what, took, " ".join(filter(None, trouble)), limit=2 * RECOVERY_SECONDS)
        return stage.conclude()


def by(proxy: ProxyProcess) -> dict[str, Any]:
    return {"kafka": {"bootstrap_servers": f"127.0.0.1:{proxy.port}"}}


def faulty(stage: Stage, proxy: ProxyProcess, key: int, how: str) -> str:
    """Order one faulty reply and wait until it happened; what went wrong with that."""
    before = proxy.stats()["replies"]
    proxy.tell(f"reply {key} {how}")
    if stage.eventually(lambda: proxy.stats()["replies"] > before, _SEEN_SECONDS):
        return ""
    return f"there was no {NAMES[key]} within {_SEEN_SECONDS:.0f} s"


def _said(stage: Stage, text: str) -> int:
    return sum(worker.said(10_000_000).count(text) for worker in stage.workers)
