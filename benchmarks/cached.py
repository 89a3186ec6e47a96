"""What does a cached user cost a process? Run by benchmarks.memory as a process of its own: `benchmarks.cached URL`.

Users are read from Redis, then held as flows/shard.py holds them: as bytes, and unpacked for an event. Prints one
JSON object, bytes a user: by tracemalloc each by itself, and by what the process grows, with the allocator's losses.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import redis

from state.user import unpack

_AT_LEAST = 40_000  # so many are held for the sake of RSS, if need be several times the same
_AT_ONCE = 1_000

Hold = Callable[[bytes], object]


def middle(sizes: Sequence[int]) -> dict[str, float]:
    return {"median": statistics.median(sizes), "mean": round(statistics.mean(sizes)), "users": len(sizes)}


def copied(blob: bytes) -> bytes:
    return bytes(memoryview(blob))


def load(url: str) -> list[tuple[str, bytes]]:
    with redis.Redis.from_url(url) as client:
        keys = [*client.scan_iter(match="*:u:*", count=_AT_ONCE)]
        found: list[tuple[str, bytes]] = []
        for first in range(0, len(keys), _AT_ONCE):
            some = keys[first : first + _AT_ONCE]
            blobs = cast("list[bytes]", client.mget(some))
            names = [key.decode().partition(":u:")[2] for key in some]
            found += zip(names, blobs, strict=True)
        return found


def rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def by_rss(users: list[tuple[str, bytes]], hold: Hold) -> int:
    times = -(-_AT_LEAST // len(users))
    gc.collect()
    before = rss()
    held = {f"{key}{time}": hold(blob) for time in range(times) for key, blob in users}
    grown = rss() - before
    return round(grown / len(held))


def by_tracing(users: list[tuple[str, bytes]], hold: Hold) -> dict[str, float]:
    """The dictionary grows at some of them, which is in the mean and not in the median."""
    held: dict[str, object] = {}
    sizes = []
    tracemalloc.start()
    for key, blob in users:
        before = tracemalloc.get_traced_memory()[0]
        held[key[:1] + key[1:]] = hold(blob)  # a string of its own
        sizes.append(tracemalloc.get_traced_memory()[0] - before)
    tracemalloc.stop()
    return middle(sizes)


def main(url: str) -> None:
    users = load(url)
    gc.disable()
    ways: dict[str, Hold] = {"packed": copied, "live": unpack}  # the smaller first: what it frees, RSS keeps
    grown = {name: by_rss(users, hold) for name, hold in ways.items()}
    found: dict[str, Any] = {
        name: {**by_tracing(users, hold), "rss": grown[name]} for name, hold in ways.items()
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
