"""Row w, beside the fault matrix: do the alerts fire that only a broker can provoke?

The others: tests/integration/test_watched.py.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator

from tests.alerts import hastened
from tests.chaos.lab import Lab
from tests.chaos.network import ProxyProcess
from tests.chaos.outcome import Outcome
from tests.chaos.rows_kafka import END_TXN, by, faulty
from tests.chaos.rows_redis import cut_tail
from tests.chaos.stage import Stage
from tests.servers.ports import free_port
from tests.servers.prometheus import PrometheusServer
from tests.servers.redis import RedisServer

_LATE_SECONDS = 40.0  # longer than anybody waits; a reply that is cut off is asked for again by librdkafka
_FIRES_SECONDS = 60.0
_CALM_SECONDS = 90.0
_ATTEMPTS = 3
_LOST_BYTES = 50_000


def watched(lab: Lab, points: int) -> Iterator[Outcome]:
    """w: a real Prometheus alerts on a lost reply, on triggers that do not go out, on a lost tail of Redis."""
    program = shutil.which("prometheus")
    assert program is not None, "no prometheus on the PATH (Debian: prometheus)"
    with lab.proxied_kafka() as (kafka, proxy):
        for number in range(points):
            port = free_port()
            settings = {"http": {"enabled": True, "port": port}}
            with (
                lab.own_redis() as store,
                lab.stage("w", kafka=kafka, redis=store, through=by(proxy), settings=settings) as stage,
                PrometheusServer(
                    program, stage.directory / f"prometheus-{number}", [port], hastened()
                ) as prometheus,
            ):
                stage.begin()
                _provoke(
                    stage, prometheus, lambda: _delay_replies(stage, proxy), "OutboxStuck", "PublishUnknown"
                )
                _provoke(stage, prometheus, lambda: _lose_a_tail(store), "RedisRollback")
                yield stage.conclude()


def _provoke(stage: Stage, prometheus: PrometheusServer, fault: Callable[[], object], *alerts: str) -> None:
    """Calm before, alarm after. More than once: a transaction may have held offsets alone, no trigger."""
    calm = stage.eventually(lambda: not prometheus.firing().intersection(alerts), _CALM_SECONDS)
    seen: set[str] = set()

    def all_fired() -> bool:
        seen.update(prometheus.firing())
        return seen.issuperset(alerts)

    begun = time.monotonic()
    for _ in range(_ATTEMPTS):
        fault()
        if stage.eventually(all_fired, _FIRES_SECONDS):
            break
    silent = set(alerts) - seen
    trouble = f"{', '.join(silent)} not fired" if silent else ""
    if not calm:
        trouble = f"one of {alerts} fired before"
    what = f"{' and '.join(alerts)} within {time.monotonic() - begun:.0f} s"
    stage.note(what, stage.await_progress(), trouble)


def _delay_replies(stage: Stage, proxy: ProxyProcess) -> None:
    """Two in a row: one is left behind after three seconds, and what waits is out with the next (decision 0040)."""
    for _ in range(2):
        faulty(stage, proxy, END_TXN, str(_LATE_SECONDS))


def _lose_a_tail(store: RedisServer) -> None:
    store.kill()
    cut_tail(store.directory, _LOST_BYTES)
    store.start()
