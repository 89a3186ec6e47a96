"""How does the shop speak at an even pace? So many events a second, each stamped with the moment it is sent.

Run by benchmarks.latency as a process of its own: `python -m benchmarks.paced BOOTSTRAP APP RATE SECONDS USERS FILE`;
FILE is a JSON object at the end. The events are those of benchmarks.workload, except that every second order stays
unpaid, so that payment_pending has something to say. An order_paid carries the nanosecond it was sent in its trace id.

Two producers, as in a shop: what the checkout says goes out at once; clicks are collected for CLICKS_LINGER_MS. For
librdkafka sends a request for each partition: clicks one by one would take the one core that the broker has here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from benchmarks import workload

CLICKS_LINGER_MS = 20
_TICK_SECONDS = 0.001
_ALL = 1 << 40


def traceparent_of(sent_ns: int) -> str:
    return f"00-{sent_ns:032x}-{sent_ns:016x}-01"


def sent_ns_of(traceparent: str) -> int:
    """When the event that caused this was sent, Unix nanoseconds."""
    return int(traceparent[3:35], 16)


def events(users: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(topic role, key, event) without end."""
    for role, key, event in workload.events(_ALL, users):
        if event["type"] != "order_paid" or event["order_id"][-1] in "02468ace":
            yield role, key, event


def main(bootstrap_servers: str, app: str, rate: int, seconds: float, users: int, file: Path) -> None:
    clicks, checkout = (
        Producer(
            {"bootstrap.servers": bootstrap_servers, "partitioner": "murmur2_random", "linger.ms": linger}
        )
        for linger in (CLICKS_LINGER_MS, 0)
    )
    acknowledged_ms: list[float] = []

    def on_delivery(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            raise SystemExit(f"an event did not reach the broker: {error}")
        acknowledged_ms.append(1000 * (message.latency() or 0.0))

    encode = msgspec.json.Encoder().encode
    source = events(users)
    sent, started = 0, time.monotonic()
    while (elapsed := time.monotonic() - started) < seconds:
        while sent < elapsed * rate:
            role, key, event = next(source)
            now = time.time_ns()
            event["ts"] = now // 1_000_000
            is_paid = event["type"] == "order_paid"
            if is_paid:
                event["traceparent"] = traceparent_of(now)
            producer = clicks if role == "clickstream" else checkout
            producer.produce(
                f"{app}.{role}", encode(event), key, on_delivery=on_delivery if is_paid else None
            )
            sent += 1
        checkout.poll(0)
        clicks.poll(0)
        time.sleep(_TICK_SECONDS)
    elapsed = time.monotonic() - started
    checkout.flush()
    clicks.flush()
    said = {"events_per_second": sent / elapsed, "acknowledged_ms": acknowledged_ms}
    file.write_bytes(msgspec.json.encode(said))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]), Path(sys.argv[6]))
