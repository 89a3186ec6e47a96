"""Do /healthz and /readyz tell apart a process that does not get on and one that has nothing to do?

Redis, brokers and the network have tests of their own: `test_store_trouble.py`, `test_status.py`,
`test_broker_away.py`, chaos 11k and 11r.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.installation import CART_ONLY, eventually
from tests.integration.shop import KafkaShop
from tests.integration.test_status import ask
from tests.servers.kafka import KafkaServer
from tests.servers.ports import free_port

QUICK = {"engine": {"heartbeat": "300ms"}}  # health allows three of them


def colours(port: int) -> tuple[int, int]:
    """Status of /healthz and of /readyz."""
    return ask(port, "/healthz")[0], ask(port, "/readyz")[0]


def test_one_process_too_many_is_well_and_not_ready(
    kafka: KafkaServer, redis_url: str, tmp_path: Path
) -> None:
    """It may be restarted by nobody, as it gets on; and nobody may rely on it, as it has nothing."""
    first, second = free_port(), free_port()
    with KafkaShop(tmp_path / "shop", kafka, redis_url, {**CART_ONLY, **QUICK}, partitions=1) as shop:
        shop.create_topics()
        shop.change({"http": {"enabled": True, "port": first}})
        busy = shop.start("run")
        eventually(lambda: colours(first) == (200, 200), what="a good beginning")
        shop.change({"http": {"port": second}})
        shop.start("run")
        eventually(lambda: colours(second) == (200, 503), what="a second one without shards")
        assert json.loads(ask(second, "/readyz")[1])["why"] == "no shards yet"
        busy.kill()
        eventually(lambda: colours(second) == (200, 200), what="its succession")
