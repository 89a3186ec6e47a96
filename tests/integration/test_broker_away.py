"""Does a process that has lost its broker say so, wait, and go on by itself when the broker is back?"""

from __future__ import annotations

import contextlib
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec

from tests.integration.installation import CART_ONLY, eventually
from tests.integration.shop import KafkaShop
from tests.servers.kafka import KafkaServer
from tests.servers.ports import free_port

TS = 1_790_000_000_000
BOUNCES = 2
WHOLE = 10_000_000


def status(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            return error.code
    except OSError:
        return 0


def added(number: int) -> bytes:
    event = {"event_id": f"e{number}", "type": "cart_item_added", "ts": TS + number, "user_id": "u1"}
    return msgspec.json.encode({**event, "sku": f"k{number}", "quantity": 1, "price": 100})


def test_a_broker_that_is_killed_again_and_again(
    own_kafka: KafkaServer, redis_url: str, tmp_path: Path
) -> None:
    port = free_port()
    with KafkaShop(tmp_path / "shop", own_kafka, redis_url, CART_ONLY, partitions=2) as shop:
        shop.change({"http": {"enabled": True, "port": port}})
        shop.create_topics()
        process = shop.start("run")
        eventually(lambda: status(port) == 200, what="readiness")
        for number in range(BOUNCES):
            shop.write([("clickstream", "u1", added(number))])
            eventually(lambda: shop.outbox() == 0 and lines(shop) == number + 1, what=f"event {number}")  # noqa: B023
            own_kafka.kill()
            eventually(lambda: status(port) == 503, what="readiness to turn red")
            time.sleep(1.0)
            own_kafka.restart()
            eventually(lambda: status(port) == 200, what="readiness to come back", seconds=60)
        shop.write([("clickstream", "u1", added(BOUNCES))])
        eventually(lambda: lines(shop) == BOUNCES + 1, what="the event after the last")
        process.terminate()
        assert process.wait(30) == 0, process.said()
        raw = [line for line in process.said(WHOLE).splitlines() if line.startswith("%")]
        assert not raw, "librdkafka writes to stderr as it likes, not in our format"


def lines(shop: KafkaShop) -> int:
    users = shop.users()
    return len(users["u1"].cart.lines) if "u1" in users else 0
