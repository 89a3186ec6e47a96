"""Does any alert fire in an hour in which nothing is wrong?

python -m tests.soak.healthy [--minutes 60] [--rate 30]: a made-up shop writes to a real Kafka, two processes of beckon
share four partitions, and a real Prometheus scrapes them and evaluates deploy/prometheus/alerts.yml as it is.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from tests.alerts import ALERTS, RULES
from tests.chaos.lab import say
from tests.integration.installation import eventually
from tests.integration.shop import KafkaShop
from tests.servers.kafka import KafkaServer
from tests.servers.ports import free_port
from tests.servers.prometheus import PrometheusServer
from tests.servers.redis import RedisServer

_PARTITIONS = 4
_LOOKS_SECONDS = 10.0


def main(minutes: float, rate: float) -> int:
    program = shutil.which("prometheus")
    if program is None:
        say("no prometheus on the PATH (Debian: prometheus)")
        return 2
    directory = Path(tempfile.mkdtemp(prefix="beckon-healthy-"))
    port = free_port()
    # A shop that begins in the past has triggers that are long due: that is what an alert about latency is for.
    settings = {"http": {"enabled": True, "port": port}, "demo": {"behind": "1s"}}
    with (
        KafkaServer(long_running=True) as kafka,
        RedisServer(directory / "redis") as store,
        KafkaShop(directory / "shop", kafka, store.url, settings, partitions=_PARTITIONS) as shop,
    ):
        shop.create_topics()
        beckon = shop.start("run", "--workers", "2", "--quiet")
        writer = shop.start("demo", "--rate", str(rate), "--for", f"{minutes + 5:.0f}m")
        ports = [port, port + 1]
        with PrometheusServer(program, directory / "watch", ports, _rules()) as prometheus:
            eventually(
                lambda: _value(prometheus, "sum(up)") == len(ports), what="two processes that are scraped"
            )
            until = time.monotonic() + minutes * 60
            while time.monotonic() < until and beckon.runs and writer.runs:
                time.sleep(_LOOKS_SECONDS)
            whole = time.monotonic() >= until
            return _tell(prometheus, minutes, whole=whole)


def _rules() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(RULES.read_text())
    return found


def _tell(prometheus: PrometheusServer, minutes: float, *, whole: bool) -> int:
    """What fired, what was about to, and that there was something to see."""
    past = f"[{minutes:.0f}m]"
    fired = _alerts(prometheus, f'max_over_time(ALERTS{{alertstate="firing"}}{past})')
    pending = _alerts(prometheus, f'max_over_time(ALERTS{{alertstate="pending"}}{past})')
    triggers = _value(prometheus, f"sum(increase(beckon_triggers_total{past}))")
    events = _value(prometheus, f"sum(increase(beckon_events_total{past}))")
    down = _value(prometheus, f"min(min_over_time(up{past}))") != 1
    say(
        f"{minutes:.0f} minutes, {len(ALERTS)} alerts, {events:,.0f} events, {triggers:,.0f} triggers; "
        f"fired: {', '.join(fired) or 'none'}; pending for a while: {', '.join(pending) or 'none'}"
        + ("" if whole else "; a process ended before the time")
        + ("; a process was not scraped at times" if down else "")
    )
    return 0 if whole and not fired and not down and triggers and events else 1


def _alerts(prometheus: PrometheusServer, expression: str) -> list[str]:
    return sorted({each["metric"]["alertname"] for each in prometheus.query(expression)})


def _value(prometheus: PrometheusServer, expression: str) -> float:
    return sum(float(each["value"][1]) for each in prometheus.query(expression))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak.healthy", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=30.0, help="events a second")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(chosen.minutes, chosen.rate))
