"""How much memory does a user cost, in Redis and in the process?

`python -m benchmarks memory [DATA]` replays the data of real shops (tests/real_data; DATA, or BECKON_DATA, is their
folder) through the shipped flow into a real Redis, every rule and setting at its default, and measures what it left:

- *packed*: bytes of a user's value; *key*: what MEMORY USAGE says of its key; *users*: used_memory that goes when all
  keys of users are deleted, expiry included, by their number; *all*: used_memory of everything (timers, watchers,
  audiences, items), by the number of users;
- *cached*: one that waits packed in the process (flows/shard.py); *live*: what a user unpacked for an event allocates.
  With their id and their place in a dictionary; in brackets by RSS of a fresh process.

The typical user is the median of its shop: half of them cost less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import redis

from benchmarks import workload
from benchmarks.cached import middle
from config.load import load
from connectors.file_log import FileLog, FilePublisher
from flows import assemble
from flows.assemble import Choices
from flows.realtime import run_graph
from tests.integration.installation import Record, write_history
from tests.real_data import online_retail, rees46, retailrocket, taobao
from tests.servers.redis import RedisServer

REDIS_BYTES, CACHED_BYTES = 700, 1_500  # issue 7: of a typical user, at most
_AT_ONCE = 1_000


class Shop(NamedTuple):
    name: str
    file: str
    currency: str
    records: Callable[[], Iterable[Record]]


def wholesale() -> list[Record]:
    return online_retail.shuffled(online_retail.orders(online_retail.valid_lines()), seed=1)


SHOPS = (
    Shop("RetailRocket", retailrocket.FILE, "CNY", retailrocket.records),
    Shop("UCI", online_retail.FILE, "GBP", wholesale),
    Shop("Taobao", taobao.FILE, "CNY", taobao.records),
    Shop("REES46", rees46.FILE, rees46.CURRENCY, rees46.records),
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", nargs="?", default=os.environ.get("BECKON_DATA", "../shared/data"))
    parser.add_argument(
        "--shop", action="append", choices=[shop.name for shop in SHOPS], help="only this one"
    )
    parser.add_argument("--json", type=Path, help="also write the figures here")
    asked = parser.parse_args(arguments)
    os.environ["BECKON_DATA"] = asked.data
    shops = [shop for shop in SHOPS if not asked.shop or shop.name in asked.shop]
    absent = [shop.file for shop in shops if not (Path(asked.data) / shop.file).exists()]
    if absent:
        raise SystemExit(f"not in {asked.data}: {', '.join(absent)}. Name their folder, or set BECKON_DATA")
    found = {}
    for shop in shops:
        found[shop.name] = measure(shop)
        _print(shop.name, found[shop.name])
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


def measure(shop: Shop) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch, RedisServer(Path(scratch) / "redis") as server:
        write_history(Path(scratch) / "in", shop.records())
        with redis.Redis.from_url(server.url) as client:
            empty = _used(client)
            _replay(Path(scratch), server.url, shop.currency)
            child = [sys.executable, "-m", "benchmarks.cached", server.url]
            process = subprocess.run(child, check=True, capture_output=True, text=True)
            return {"redis": _in_redis(client, empty), "process": json.loads(process.stdout)}


def _replay(scratch: Path, url: str, currency: str) -> None:
    """As `beckon replay` does it, but that the ledger is in Redis."""
    settings = load(None, {}, [f"redis.url={url}", f"input.currency={currency}", "app=memory"])
    source = FileLog(
        scratch / "in",
        {role: role for role in workload.ROLES},
        partitions=1,
        shards=[0],
        batch_records=settings.engine.batch_records,
        max_bytes=assemble.LINE_LIMIT,
        closed=True,
        together=True,
    )
    ledger = assemble.ledger_of(settings, url)
    publisher = FilePublisher(scratch / "out", {role: role for role in assemble.OUTPUTS}, partitions=1)
    choices = Choices(should_stop=lambda: False, closed=True)
    run_graph(assemble.station_of(settings, source, ledger, publisher, choices))
    publisher.close()
    source.close()
    ledger.close()


def _used(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])


def _in_redis(client: redis.Redis, empty: int) -> dict[str, Any]:
    """Deletes the users in the end."""
    keys = [*client.scan_iter(match="*:u:*", count=_AT_ONCE)]
    whole, usage, sizes = _used(client), list[int](), list[int]()
    for first in range(0, len(keys), _AT_ONCE):
        pipe = client.pipeline(transaction=False)
        for key in keys[first : first + _AT_ONCE]:
            pipe.memory_usage(key, 0)
            pipe.strlen(key)
        answers = pipe.execute()
        usage += answers[::2]
        sizes += answers[1::2]
    for first in range(0, len(keys), _AT_ONCE):
        client.delete(*keys[first : first + _AT_ONCE])
    return {
        "packed": middle(sizes),
        "key": middle(usage),
        "users": round((whole - _used(client)) / len(keys)),
        "all": round((whole - empty) / len(keys)),
    }


def _print(name: str, found: dict[str, Any]) -> None:
    stored, process = found["redis"], found["process"]
    key, live, waiting = stored["key"], process["live"], process["packed"]
    print(
        f"{name}: {key['users']:,} users\n"
        f"  Redis    packed {_both(stored['packed'])}, key {_both(key)}, "
        f"users {stored['users']:,}, all {stored['all']:,}\n"
        f"  process  cached {_both(waiting)} ({waiting['rss']:,}), live {_both(live)} ({live['rss']:,})"
    )
    for what, (size, bound) in typical(found).items():
        print(
            f"  typical user {what}: {size:,.0f} bytes, {bound:,} {'kept' if size <= bound else 'NOT KEPT'}"
        )


def typical(found: dict[str, Any]) -> dict[str, tuple[float, int]]:
    """What the median user costs, and may cost at most."""
    return {
        "in Redis": (found["redis"]["key"]["median"], REDIS_BYTES),
        "cached": (found["process"]["packed"]["median"], CACHED_BYTES),
    }


def _both(sizes: dict[str, float]) -> str:
    return f"{sizes['median']:,.0f} (mean {sizes['mean']:,.0f})"


if __name__ == "__main__":
    main()
