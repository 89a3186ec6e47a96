"""Do /healthz and /readyz tell apart a process that does not get on and one that has nothing to do?

Redis that is broken in other ways, and the network, have tests of their own: `test_store_trouble.py`,
`test_status.py`, chaos 11k and 11r.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

from tests.integration.installation import CART_ONLY, eventually
from tests.integration.running import Running
from tests.integration.shop import KafkaShop
from tests.integration.test_status import ask
from tests.servers.kafka import KafkaServer
from tests.servers.ports import free_port
from tests.servers.redis import RedisServer

_SESSION_SECONDS = 6.0  # after which the group gives away what a silent member had
_BACK_SECONDS = 120.0

QUICK = {"engine": {"heartbeat": "300ms"}}  # health allows three of them


def colours(port: int) -> tuple[int, int]:
    """Status of /healthz and of /readyz."""
    return ask(port, "/healthz")[0], ask(port, "/readyz")[0]


def started(shop: KafkaShop, port: int) -> Running:
    """One more process, that answers there."""
    shop.change({"http": {"enabled": True, "port": port}})
    return shop.start("run")


def test_one_process_too_many_is_well_and_not_ready(
    kafka: KafkaServer, redis_url: str, tmp_path: Path
) -> None:
    """It may be restarted by nobody, as it gets on; and nobody may rely on it, as it has nothing."""
    first, second = free_port(), free_port()
    with KafkaShop(tmp_path / "shop", kafka, redis_url, {**CART_ONLY, **QUICK}, partitions=1) as shop:
        shop.create_topics()
        busy = started(shop, first)
        eventually(lambda: colours(first) == (200, 200), what="a good beginning")
        started(shop, second)
        eventually(lambda: colours(second) == (200, 503), what="a second one without shards")
        assert json.loads(ask(second, "/readyz")[1])["why"] == "no shards yet"
        busy.kill()
        eventually(lambda: colours(second) == (200, 200), what="its succession")


def test_an_idle_process_whose_broker_is_gone_is_neither_well_nor_ready_until_it_is_back(
    own_kafka: KafkaServer, redis_url: str, tmp_path: Path
) -> None:
    """Nothing is on its way in or out and Redis answers: no work fails, and still nothing can be done."""
    port = free_port()
    with KafkaShop(tmp_path / "shop", own_kafka, redis_url, {**CART_ONLY, **QUICK}, partitions=2) as shop:
        shop.change({"http": {"enabled": True, "port": port}})
        shop.create_topics()
        process = shop.start("run")
        eventually(lambda: colours(port) == (200, 200), what="a good beginning")
        time.sleep(2.0)  # until the last offsets are out, a second after the first round
        own_kafka.kill()
        eventually(lambda: colours(port) == (503, 503), what="both to turn red")
        assert "Kafka" in json.loads(ask(port, "/readyz")[1])["why"]
        time.sleep(2 * _SESSION_SECONDS)  # the group's session is over too, and its shards with it
        assert colours(port) == (503, 503)
        assert "Kafka" in json.loads(ask(port, "/readyz")[1])["why"]
        own_kafka.restart()
        eventually(lambda: colours(port) == (200, 200), what="both to be green", seconds=_BACK_SECONDS)
        assert process.runs


def test_a_killed_redis_turns_both_red_until_it_is_back(
    kafka: KafkaServer, own_redis: RedisServer, tmp_path: Path
) -> None:
    port = free_port()
    with KafkaShop(tmp_path / "shop", kafka, own_redis.url, {**CART_ONLY, **QUICK}, partitions=2) as shop:
        shop.change({"http": {"enabled": True, "port": port}})
        shop.create_topics()
        process = shop.start("run")
        eventually(lambda: colours(port) == (200, 200), what="a good beginning")
        own_redis.kill()
        eventually(lambda: colours(port) == (503, 503), what="both to turn red")
        assert "Redis" in json.loads(ask(port, "/readyz")[1])["why"]
        own_redis.start()
        eventually(lambda: colours(port) == (200, 200), what="both to be green", seconds=_BACK_SECONDS)
        assert process.runs


def test_a_process_frozen_past_its_session_answers_nobody_and_is_itself_again_afterwards(
    kafka: KafkaServer, redis_url: str, tmp_path: Path
) -> None:
    """A probe that is not answered in time counts as red; somebody else has the shards meanwhile."""
    first, second = free_port(), free_port()
    with KafkaShop(tmp_path / "shop", kafka, redis_url, {**CART_ONLY, **QUICK}, partitions=2) as shop:
        shop.create_topics()
        frozen = started(shop, first)
        eventually(lambda: colours(first) == (200, 200), what="a good beginning")
        started(shop, second)
        eventually(lambda: colours(second) == (200, 200), what="a shard for the second")
        os.kill(frozen.pid, signal.SIGSTOP)
        try:
            assert ask(first, "/healthz")[0] == 0
            eventually(lambda: owned(second) == 2, what="the second to have both")
        finally:
            os.kill(frozen.pid, signal.SIGCONT)
        eventually(lambda: (owned(first), owned(second)) == (1, 1), what="its return", seconds=_BACK_SECONDS)
        eventually(lambda: colours(first) == (200, 200), what="both to be green")


def owned(port: int) -> int:
    """Shards, as /readyz says; it may say more behind that."""
    why = str(json.loads(ask(port, "/readyz")[1] or b"{}").get("why", ""))
    found = re.match(r"(\d+) shards? owned\b", why)
    return 0 if found is None else int(found[1])
