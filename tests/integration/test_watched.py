"""Does a real Prometheus see what the dashboards ask for, and do the alerts fire when something is really wrong?"""

from __future__ import annotations

import json
import math
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.alerts import ALERTS, hastened
from tests.integration.installation import Installation, eventually
from tests.integration.test_status import ask
from tests.servers.ports import free_port
from tests.servers.prometheus import PrometheusServer
from tests.servers.redis import RedisServer
from tests.test_deploy import DASHBOARDS, expressions

WATCHED_SECONDS = 90.0  # at most; until every panel shows something
FIRES_SECONDS = 45.0
MANY_SERIES = 31 * 20  # rules by reasons, or by buckets; this shop has 300 people and 60 SKUs
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NEEDS_KAFKA = "Kafka only: the file log has no such thing"
EMPTY: Mapping[str, str] = {
    "beckon_source_lag_records": NEEDS_KAFKA,  # lines of a growing file are not counted
    "beckon_dlq_records_total": "no series before the first bad record",
    "beckon_limit_hits_total": "no series before a limit is hit",
    "beckon_triggers_retracted_total": "no series before a trigger is taken back",
    "beckon_triggers_deferred_total": "no series before quiet hours",
    "beckon_calls_total": "whether the shop's first day has a campaign by then depends on the machine",
    "beckon_log_messages_total": "no warnings, hopefully",
}
"""Metrics whose panels may be empty in such a run, with the reason."""

KAFKA_ONLY = {"OutboxStuck", "PublishUnknown", "RedisRollback"}
"""Provoked by `make chaos ARGS="--rows w"`."""


@pytest.fixture
def prometheus_program() -> str:
    found = shutil.which("prometheus")
    if found is None:
        pytest.skip("no prometheus on the PATH (Debian: prometheus)")
    return found


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A store that the test may kill."""
    server = RedisServer(tmp_path / "redis").start()
    yield server
    server.stop()


def test_every_panel_is_answered_and_no_log_line_knows_a_customer(
    prometheus_program: str, redis_url: str, tmp_path: Path
) -> None:
    """The demo shop, alive for a while, at the most talkative level of the log."""
    port = free_port()
    settings = {
        "redis": {"url": redis_url},
        "http": {"enabled": True, "port": port},
        "logs": {"level": "debug"},
        "demo": {"enabled": True, "behind": "2h", "speed": 3600},
        "engine": {"census_every": "2s"},
    }
    with (
        Installation(tmp_path / "shop", settings) as shop,
        PrometheusServer(prometheus_program, tmp_path / "prometheus", [port]) as prometheus,
    ):
        service = shop.start("run", "--quiet")
        eventually(lambda: ask(port, "/readyz")[0] == 200, what="readiness")
        queries = [query for path in DASHBOARDS for query in expressions(path)]
        deadline = time.monotonic() + WATCHED_SECONDS
        while missing := {
            query for query in queries if not answered(prometheus, query) and not may_be_empty(query)
        }:
            assert time.monotonic() < deadline, missing
            time.sleep(2.0)
        served = ask(port, "/metrics")[1].decode()
        service.terminate()
        assert service.wait(30) == 0, service.said()
        assert sample(served, "beckon_users") > 100
        assert sample(served, "beckon_census_share") == 1.0
        many = {name: count for name, count in series(served).items() if count > MANY_SERIES}
        assert not many, "a label that grows with the shop?"

        said = service.said(1 << 30)
        assert "a trigger is out" in said, "nothing is said of single triggers: what does this test show?"
        names = identifiers(tmp_path / "shop" / "var" / "log")
        for text in (said, served):
            assert not named(text, names)


@pytest.mark.parametrize(
    "line", ["user shopper-0047.", "{beckon:s00}:u:shopper-0047: WRONGTYPE", "of u-1, bad", "user_u-1"]
)
def test_a_line_that_knows_a_customer_is_found_out(line: str) -> None:
    assert named(line, {"shopper-0047", "u-1", "shopper-0048"})
    assert not named(line, {"shopper-0046", "opp", "shopper-004"})
    assert not named("trigger 1c3e4bad-5f6a-5e7b", {"bad-5"}), "a part of an id of ours"


def test_alerts_fire_when_something_is_wrong(
    prometheus_program: str, own_redis: RedisServer, tmp_path: Path
) -> None:
    port, other = free_port(), free_port()
    settings: dict[str, Any] = {
        "files": {"directory": "log"},
        "redis": {"url": own_redis.url},
        "http": {"enabled": True, "port": port},
        "engine": {"heartbeat": "1s", "census_every": "1s", "config_check": "500ms"},
        "policy": {"enabled": False},
        "time": {"out_of_orderness": "1s"},
        "logs": {"level": "debug"},
    }
    log = tmp_path / "shop" / "log"
    with (
        Installation(tmp_path / "shop", settings) as shop,
        PrometheusServer(prometheus_program, tmp_path / "prometheus", [port], hastened()) as prometheus,
    ):
        alarm = Alarm(prometheus)
        fires = alarm.rings
        service = shop.start("run")
        eventually(lambda: ask(port, "/readyz")[0] == 200, what="readiness")
        register(log, "early", ago=1.0)
        eventually(
            lambda: b"beckon_trigger_latency_seconds_bucket" in ask(port, "/metrics")[1], what="a trigger"
        )
        eventually(lambda: not prometheus.firing(), what="calm")
        fires("DlqRate", "TriggerLatencyP99", meanwhile=lambda: mischief(log))
        with redis.Redis.from_url(own_redis.url) as client:
            client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 1.1))
            fires("StateNearLimit")
            client.config_set("maxmemory", 0)
        config = shop.directory / "beckon.yaml"
        good = config.read_text()
        config.write_text("rules: {no_such_rule: {}}")
        fires("ConfigRefused", "NoTriggers")
        shop.change({"http": {"port": other}})
        second = shop.start("run")  # the mistake that FencedLoop is about
        fires("FencedLoop")
        second.kill()
        config.write_text(good)  # it had another port, which a running process does not take
        eventually(lambda: ask(port, "/readyz")[0] == 200, what="readiness")
        eventually(lambda: not prometheus.firing() - {"NoTriggers"}, what="calm with one process")

        own_redis.kill()
        fires("NotReady", "CommitStale", "LagSecondsHigh", "WatermarkStalled")
        own_redis.start()
        eventually(lambda: ask(port, "/readyz")[0] == 200, what="readiness to come back")
        eventually(lambda: not prometheus.firing() - {"NoTriggers"}, what="calm again")
        service.kill()
        fires("Down")
        said = service.said(1 << 30) + second.said(1 << 30)
        assert not re.findall(r"\b(?:early|late)[\w-]+", said)
        assert f'"trace_id": "{TRACE}"' in said
    assert alarm.heard >= set(ALERTS) - KAFKA_ONLY


class Alarm:
    """`heard`: all that have fired when they were to."""

    def __init__(self, prometheus: PrometheusServer) -> None:
        self._prometheus = prometheus
        self.heard: set[str] = set()

    def rings(self, *names: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Each of these alerts, all silent now, fires within a while; `meanwhile` goes on making the reason."""
        early = self._prometheus.firing() & set(names)
        assert not early, f"{early} before there is a reason"
        seen: set[str] = set()
        deadline = time.monotonic() + FIRES_SECONDS
        while not seen >= set(names):
            assert time.monotonic() < deadline, f"only {seen} of {names}"
            meanwhile()
            time.sleep(0.4)
            seen |= self._prometheus.firing()
        self.heard.update(names)


def register(log: Path, name: str, *, ago: float) -> None:
    """Five people never heard of; each is told at once that it is a prospect now."""
    ts = int((time.time() - ago) * 1000)
    event = {"type": "registered", "ts": ts, "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    names = [f"{name}-{ts}-{number}" for number in range(5)]
    write(log, *(json.dumps({**event, "event_id": name, "user_id": name}) for name in names))


def mischief(log: Path) -> None:
    """A record that is none, and people of whom we hear only two minutes later."""
    register(log, "late", ago=120.0)
    write(log, '{"event_id": "late-bad", "type": "registered", "user_id": "late-person"}')


def write(log: Path, *lines: str) -> None:
    log.mkdir(exist_ok=True)
    with (log / "customers.jsonl").open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))


def answered(prometheus: PrometheusServer, query: str) -> bool:
    """With a number: a share of nothing is none."""
    return any(not math.isnan(float(found["value"][1])) for found in prometheus.query(timed(query)))


def named(text: str, names: set[str]) -> set[str]:
    """Those of the names that stand in the text, between whatever is no letter and no digit."""
    return {name for name in names if any(stands(name, at, text) for at in places(name, text))}


def places(name: str, text: str) -> Iterator[int]:
    at = text.find(name)
    while at >= 0:
        yield at
        at = text.find(name, at + 1)


def stands(name: str, at: int, text: str) -> bool:
    before, after = text[max(0, at - 1) : at], text[at + len(name) : at + len(name) + 1]
    return not before.isalnum() and not after.isalnum()


def may_be_empty(query: str) -> bool:
    return any(name in query for name in EMPTY)


def timed(query: str) -> str:
    return query.replace("$__rate_interval", "15s")


def sample(served: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", served, re.MULTILINE)
    assert found is not None, name
    return float(found.group(1))


def series(served: str) -> Counter[str]:
    """How many each name has."""
    return Counter(re.findall(r"^(beckon_\w+)", served, re.MULTILINE))


def identifiers(log: Path) -> set[str]:
    """Every user, SKU, order, and whatever else a shop's records call an id, of what came in; a trigger's is ours."""
    found: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                if (
                    name == "trigger_id"
                ):  # of a message that came back; a line of the log may say which went out
                    continue
                if isinstance(inner, str) and (name.endswith("_id") or name in {"sku", "email", "phone"}):
                    found.add(inner)
                else:
                    collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    for path in log.rglob("*.jsonl"):
        if path.stem in {"clickstream", "orders", "inventory", "customers", "engagement"}:
            for line in path.read_bytes().splitlines():
                try:
                    collect(json.loads(line))
                except (ValueError, UnicodeDecodeError):
                    continue  # one of the shop's bad records
    assert len(found) > 300
    return {each for each in found if len(each) > 2}
