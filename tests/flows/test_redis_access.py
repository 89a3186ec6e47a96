"""Is what Redis says of itself read as redis-py reads it, and nothing left behind?"""

from __future__ import annotations

import gc

import redis

from config.load import load
from flows.redis_access import read_info, redis_client


def test_info_is_read_as_the_library_reads_it(redis_url: str) -> None:
    ours, theirs = redis_client(load(None, {}, []), redis_url), redis.Redis.from_url(redis_url)
    for section, names in {
        "memory": ["used_memory", "maxmemory", "maxmemory_policy", "total_system_memory"],
        "persistence": ["loading", "aof_enabled"],
        "server": ["redis_version"],
        "stats": ["evicted_keys"],
    }.items():
        told, wanted = ours.info(section), theirs.info(section)
        for name in names:
            assert type(told[name]) is type(wanted[name])
        fixed = [name for name in names if name != "used_memory"]
        assert [told[name] for name in fixed] == [wanted[name] for name in fixed]


def test_an_answer_leaves_nothing_for_the_collector() -> None:
    """It is asked every ten seconds."""
    gc.collect()
    gc.disable()
    try:
        assert read_info(b"# Memory\r\nused_memory:7\r\nratio:1.5\r\npolicy:noeviction\r\n") == {
            "used_memory": 7,
            "ratio": 1.5,
            "policy": "noeviction",
        }
        assert gc.collect() == 0
    finally:
        gc.enable()
