"""Do health, readiness, metrics and profiles of a running service tell the truth, also while Redis is away?"""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import msgspec

from tests.integration.installation import INPUTS, Installation, eventually, lines_of
from tests.servers.ports import free_port
from tests.servers.redis import RedisServer

TS = 1_790_000_000_000


def ask(port: int, path: str, token: str = "") -> tuple[int, bytes]:
    """Status and body; status 0 while nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def tell(log: Path, *events: dict[str, object]) -> None:
    """Append to the clickstream of a file log."""
    log.mkdir(parents=True, exist_ok=True)
    with (log / "clickstream.jsonl").open("ab") as file:
        file.write(b"".join(msgspec.json.encode(event) + b"\n" for event in events))


def added(number: int) -> dict[str, object]:
    event = {"event_id": f"e{number}", "type": "cart_item_added", "ts": TS + number, "user_id": "u1"}
    return {**event, "sku": f"k{number}", "quantity": 1, "price": 100}


def test_what_is_served_is_true(tmp_path: Path, own_redis: RedisServer) -> None:
    port = free_port()
    settings = {
        "files": {"directory": "log"},
        "redis": {"url": own_redis.url},
        "http": {"enabled": True, "port": port},
        "engine": {"heartbeat": "300ms"},
        "policy": {"enabled": False},
    }
    log = tmp_path / "shop" / "log"
    with Installation(tmp_path / "shop", settings) as shop:
        service = shop.start("run")
        eventually(lambda: ask(port, "/readyz")[0] == 200, what="readiness")
        tell(log, added(1))
        eventually(lambda: ask(port, "/api/users/u1")[0] == 200, what="the profile")
        profile = json.loads(ask(port, "/api/users/u1")[1])
        assert [line["sku"] for line in profile["cart"]["lines"]] == ["k1"]
        assert ask(port, "/api/users/nobody")[0] == 404
        shown = json.loads(shop.run("profile", "u1", "--json"))
        assert shown["cart"] == profile["cart"]

        own_redis.kill()
        eventually(lambda: ask(port, "/readyz")[0] == 503, what="readiness to turn red")
        assert b"Redis" in ask(port, "/readyz")[1]
        eventually(lambda: ask(port, "/healthz")[0] == 503, what="health to turn red")
        tell(log, added(2))
        own_redis.start()
        eventually(lambda: ask(port, "/readyz")[0] == 200, what="readiness to come back")
        eventually(lambda: ask(port, "/healthz")[0] == 200, what="health to come back")
        eventually(lambda: len(shop.users(own_redis.url)["u1"].cart.lines) == 2, what="the missed event")

        status, metrics = ask(port, "/metrics")
        assert status == 200
        assert b'beckon_events_total{result="ok"}' in metrics
        eventually(lambda: b"beckon_ready 1.0" in ask(port, "/metrics")[1], what="the gauge of readiness")
        assert b"u1" not in metrics
        service.terminate()
        assert service.wait(20) == 0, service.said()
        triggers = log / "triggers.jsonl"
        assert not triggers.exists() or len({t["id"] for t in lines_of(triggers)}) == len(lines_of(triggers))


def test_an_input_nobody_writes_is_no_obstacle(tmp_path: Path, redis_url: str) -> None:
    settings = {"files": {"directory": "log"}, "redis": {"url": redis_url}}
    with Installation(tmp_path / "shop", settings) as shop:
        tell(tmp_path / "shop" / "log", added(1))
        shop.run("run", "--until-caught-up")
        assert "u1" in shop.users()
        assert not any((tmp_path / "shop" / "log" / f"{role}.jsonl").exists() for role in INPUTS[1:])
