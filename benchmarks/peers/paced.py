"""How does the job's log come at an even pace? So many events a second, each order named by the moment it is sent.

Run by benchmarks.peers.latency as a process of its own: `python -m benchmarks.peers.paced BOOTSTRAP CLICKS ORDERS RATE
SECONDS USERS`, the second and third the topics to write to, which may be the same. Clicks are collected for
CLICKS_LINGER_MS, orders go out at once, as in benchmarks.paced.
"""

from __future__ import annotations

import sys
import time

import msgspec
from confluent_kafka import Producer

from benchmarks.paced import CLICKS_LINGER_MS
from benchmarks.peers import job

_TICK_SECONDS = 0.001
_ALL = 1 << 40


def sent_ns_of(anchor: str) -> int:
    """When the order with this event id was sent, Unix nanoseconds."""
    return int(anchor.partition("-")[0], 16)


def main(bootstrap_servers: str, topics: tuple[str, str], rate: int, seconds: float, users: int) -> None:
    clicks, orders = (
        Producer(
            {"bootstrap.servers": bootstrap_servers, "partitioner": "murmur2_random", "linger.ms": linger}
        )
        for linger in (CLICKS_LINGER_MS, 0)
    )
    encode = msgspec.json.Encoder().encode
    source = job.events(_ALL, users)
    sent, started = 0, time.monotonic()
    while (elapsed := time.monotonic() - started) < seconds:
        while sent < elapsed * rate:
            role, user, event = next(source)
            now = time.time_ns()
            event["ts"] = now // 1_000_000
            if role == "orders":
                event["event_id"] = f"{now:x}-{sent:x}"
                orders.produce(topics[1], encode(event), user)
            else:
                clicks.produce(topics[0], encode(event), user)
            sent += 1
        orders.poll(0)
        clicks.poll(0)
        time.sleep(_TICK_SECONDS)
    orders.flush()
    clicks.flush()
    sys.stdout.write(f"{sent / (time.monotonic() - started):.0f}\n")


if __name__ == "__main__":
    main(sys.argv[1], (sys.argv[2], sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6]))
