"""How does the job run on plain Bytewax with its state in Redis? One key a partition, a round trip each way a batch.

Run by its own environment as a script: `python bytewax_job.py name=value ...`. One key a user would be simpler, but
then no timer knows how far the time of the others has come (Bytewax's own wake by the wall clock), and a replay tells
nothing. So each partition is a key: it reads the users of a batch with one MGET, writes them with one MSET, and keeps
what is due in a heap. Nothing is guaranteed: no recovery is configured, and the heap is in memory only.
"""

from __future__ import annotations

import sys
import time
from heapq import heappop, heappush
from typing import Any

import bytewax.operators as op
import orjson
import redis
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.run import cli_main

DAY_MS, WINDOW_DAYS = 86_400_000, 30

SETTINGS = dict(argument.split("=", 1) for argument in sys.argv[1:])
CART_DELAY_MS, OUT_OF_ORDERNESS_MS = int(SETTINGS["cart_delay_ms"]), int(SETTINGS["out_of_orderness_ms"])
LADDER = [int(rung) for rung in SETTINGS["ladder"].split(",")]
EVERY = int(SETTINGS["mark_every"])

Message = KafkaSourceMessage[bytes | None, bytes | None]
Trigger = dict[str, Any]


def flow() -> Dataflow:
    store = redis.Redis.from_url(SETTINGS["redis"])
    dataflow = Dataflow("shop")
    brokers = [SETTINGS["bootstrap"]]
    read = kop.input("read", dataflow, brokers=brokers, topics=[SETTINGS["input"]])
    keyed = op.key_on("partition", read.oks, lambda message: str(message.partition))
    told = op.stateful_batch("desk", keyed, lambda _: Desk(store))
    sent = op.map("encode", told, lambda keyed: record(keyed[1]))
    kop.output("write", sent, brokers=brokers, topic=SETTINGS["output"])
    return dataflow


class Desk(StatefulBatchLogic[Message, Trigger, None]):
    """The users of a partition, and its time."""

    def __init__(self, store: redis.Redis) -> None:
        self._store = store
        self._due: list[tuple[int, str]] = []
        self._watermark = 0

    def on_batch(self, batch: list[Message]) -> tuple[list[Trigger], bool]:
        events = [orjson.loads(message.value or b"") for message in batch]
        until = max(self._watermark, events[-1]["ts"] - OUT_OF_ORDERNESS_MS)
        waking = []
        while self._due and self._due[0][0] <= until:
            waking.append(heappop(self._due))
        persons = self._load({event["user_id"] for event in events} | {user for _, user in waking})
        found: list[Trigger] = []
        for event in events:
            self._fold(event, persons[event["user_id"]], found)
            mark()
        for due, user in waking:
            if persons[user]["due"] == due:
                found.append(abandoned(user, persons[user]))
        while self._due and self._due[0][0] <= until:  # of changes and dues within one batch
            due, user = heappop(self._due)
            if persons[user]["due"] == due:
                found.append(abandoned(user, persons[user]))
        self._watermark = until
        self._store.mset({f"u:{user}": orjson.dumps(person) for user, person in persons.items()})
        return found, StatefulBatchLogic.RETAIN

    def snapshot(self) -> None:
        return None

    def _load(self, users: set[str]) -> dict[str, dict[str, Any]]:
        names = [*users]
        blobs = self._store.mget([f"u:{user}" for user in names])
        return {
            user: {"seen_at": 0, "days": [], "cart": {}, "anchor": None, "due": 0}
            if blob is None
            else orjson.loads(blob)
            for user, blob in zip(names, blobs, strict=True)
        }

    def _fold(self, event: dict[str, Any], person: dict[str, Any], found: list[Trigger]) -> None:
        ts, kind, user, cart = event["ts"], event["type"], event["user_id"], person["cart"]
        if 0 < person["due"] < ts:
            found.append(abandoned(user, person))
        person["seen_at"] = max(person["seen_at"], ts)
        today = day_of(person["days"], ts // DAY_MS)
        today[1] += 1
        changed = False
        if kind == "cart_item_added":
            cart[event["sku"]] = cart.get(event["sku"], 0) + event["quantity"]
            changed = True
        elif kind == "cart_item_removed":
            changed = cart.pop(event["sku"], None) is not None
        elif kind == "order_placed":
            for line in event["lines"]:
                changed |= cart.pop(line["sku"], None) is not None
            before = spend(person)
            today[2] += 1
            today[3] += event["total"]
            if rung(spend(person)) > rung(before):
                found.append(told("spend_milestone", user, event["event_id"], ts, person))
        if changed:
            person["anchor"], person["due"] = event["event_id"], ts + CART_DELAY_MS if cart else 0
            if cart:
                heappush(self._due, (person["due"], user))


def abandoned(user: str, person: dict[str, Any]) -> Trigger:
    due, person["due"] = person["due"], 0
    return {**told("cart_abandoned", user, person["anchor"], due, person), "skus": [*person["cart"]]}


def told(rule: str, user: str, anchor: str, at: int, person: dict[str, Any]) -> Trigger:
    orders = sum(day[2] for day in person["days"])
    return {
        "rule": rule,
        "user_id": user,
        "anchor": anchor,
        "at": at,
        "orders": orders,
        "spend": spend(person),
    }


def record(trigger: Trigger) -> KafkaSinkMessage[bytes, bytes]:
    return KafkaSinkMessage(trigger["user_id"].encode(), orjson.dumps(trigger))


def day_of(days: list[list[int]], day: int) -> list[int]:
    """Number, events, orders, spend."""
    if not days or days[-1][0] != day:
        days[:] = [kept for kept in days if kept[0] >= day - WINDOW_DAYS]
        days.append([day, 0, 0, 0])
    return days[-1]


def spend(person: dict[str, Any]) -> int:
    return sum(day[3] for day in person["days"])


def rung(amount: int) -> int:
    return max((each for each in LADDER if each <= amount), default=0)


_count = 0


def mark() -> None:
    """How far is it, and what has it cost? A line on stdout every so many events."""
    global _count  # noqa: PLW0603 # one process, one thread
    _count += 1
    if _count % EVERY == 0:
        said = {"events": _count, "cpu_seconds": time.process_time(), "wall_seconds": time.monotonic()}
        print(orjson.dumps(said).decode(), flush=True)


if __name__ == "__main__":
    cli_main(flow())  # type: ignore[no-untyped-call]
