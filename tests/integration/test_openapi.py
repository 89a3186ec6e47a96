"""Does a running beckon answer over HTTP what docs/openapi.json promises, no more and no less?"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from flows.assemble import wall_ms
from tests.integration.installation import Installation, eventually
from tests.servers.ports import free_port
from tests.test_house import ROOT

MINUTE = 60_000
TOKEN = "0123456789abcdef01234567"  # noqa: S105 - no secret of anybody
HAVING = {"Authorization": f"Bearer {TOKEN}"}
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text())

EVENTS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "customers": (
        {"type": "registered"},
        {"type": "consent_changed", "channel": "app_push", "granted": True},
        {"type": "identity_linked", "user_id": "a1", "from_id": "a1", "to_id": "u1"},
    ),
    "orders": (
        {
            "type": "order_placed",
            "order_id": "o1",
            "total": 3998,
            "lines": [{"sku": "k1", "quantity": 2, "price": 1999, "category": "c1"}],
        },
        {"type": "order_paid", "order_id": "o1"},
        {"type": "order_delivered", "order_id": "o1"},
    ),
    "clickstream": (
        {"type": "product_viewed", "session_id": "s1", "sku": "k2", "category": "c1", "price": 500},
        {"type": "cart_item_added", "sku": "k2", "quantity": 1, "price": 500},
        {"type": "cart_item_added", "sku": "k3", "quantity": 1},
        {"type": "session_started", "session_id": "s2"},
    ),
}


@pytest.fixture
def port(tmp_path: Path, redis_url: str) -> Iterator[int]:
    """Of a beckon that knows u1 well, has sent something, and asks for a token."""
    port = free_port()
    settings = {
        "files": {"directory": "log"},
        "redis": {"url": redis_url},
        "http": {"enabled": True, "port": port},
        "rules": {"cart_abandoned": {"delay": "30m"}},
        "policy": {"quiet_hours": {"start": "00:00", "end": "00:00"}},
        "predict": {"model": "mbg_nbd", "r": 0.52, "alpha": 6.18, "a": 0.89, "b": 1.61},
    }
    log = tmp_path / "shop" / "log"
    log.mkdir(parents=True)
    began = wall_ms() - 60 * MINUTE  # of today: nobody is told of what is long over
    for topic, events in EVENTS.items():
        told = [
            {"user_id": "u1", "ts": began + n * MINUTE, "event_id": f"{topic}{n}", **event}
            for n, event in enumerate(events)
        ]
        lines = map(msgspec.json.encode, told)
        (log / f"{topic}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    with Installation(tmp_path / "shop", settings) as shop:
        shop.start("run", environ={"BECKON__HTTP__TOKEN": TOKEN})
        eventually(lambda: known(port)["recent_triggers"] and known(port)["aliases"], what="a trigger")
        yield port


def ask(
    port: int, target: str, headers: Mapping[str, str] = HAVING
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", target, headers=dict(headers))
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def known(port: int) -> dict[str, Any]:
    """The profile, empty lists while nobody listens or knows."""
    try:
        status, _, body = ask(port, "/api/users/u1")
    except OSError:
        status, body = 0, b""
    nothing: dict[str, Any] = {"recent_triggers": [], "aliases": []}
    return json.loads(body) if status == 200 else nothing


def promised(path: str, status: int, content_type: str) -> Draft202012Validator:
    """What judges the body. A field that the document does not name is an error here, though a client must bear it."""
    answers = DOCUMENT["paths"][path]["get"]["responses"]
    schema = answers[str(status)]["content"][content_type.partition(";")[0]]["schema"]
    closed = _closed({"components": DOCUMENT["components"], **schema})
    return Draft202012Validator(closed, format_checker=FormatChecker())


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _closed(value) for key, value in schema.items()}
    return {**inner, "additionalProperties": False} if "properties" in schema and "type" in schema else inner


def assert_as_promised(
    port: int, path: str, target: str, status: int, headers: Mapping[str, str] = HAVING
) -> Any:
    found, answered, body = ask(port, target, headers)
    assert found == status, body
    value = body.decode() if path == "/metrics" else json.loads(body)
    errors = [*promised(path, status, answered["Content-Type"]).iter_errors(value)]
    assert not errors, errors
    if status == 401:
        assert answered["WWW-Authenticate"]
    return value


def test_every_answer_is_as_promised(port: int) -> None:
    user, explain = "/api/users/{id}", "/api/users/{id}/explain"
    assert set(DOCUMENT["paths"]) == {user, explain, "/healthz", "/readyz", "/metrics", "/openapi.json"}
    profile = assert_as_promised(port, user, "/api/users/u1", 200)
    assert profile["cart"]["lines"]
    assert profile["predictions"]["p_alive"] is not None, "an example with values, not with nulls alone"
    assert profile["rfm"]["segment"] is not None
    assert assert_as_promised(port, user, "/api/users/a1", 200)["user_id"] == "u1"
    told = assert_as_promised(port, explain, "/api/users/u1/explain", 200)
    assert any(rule["decisions"] for rule in told["rules"])
    at = "2026-09-21T14:13:20%2B00:00"
    one = assert_as_promised(port, explain, f"/api/users/u1/explain?rule=winback&at={at}", 200)
    assert [rule["rule"] for rule in one["rules"]] == ["winback"]
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert_as_promised(port, path, path, 200, {})
    assert json.loads(ask(port, "/openapi.json")[2]) == DOCUMENT
    for path, target in ((user, "/api/users/u1"), (explain, "/api/users/u1/explain")):
        assert_as_promised(port, path, target, 401, {})
        assert_as_promised(port, path, target.replace("u1", "nobody"), 404)
        assert_as_promised(port, path, target.replace("u1", "%FF"), 400)
    assert_as_promised(port, explain, "/api/users/u1/explain?rule=nonsense", 400)

    # a judge that lets everything pass would be noticed
    judge = promised(user, 200, "application/json")
    for wrong in (
        {**profile, "new": 1},
        {**profile, "as_of": "yesterday"},
        {key: value for key, value in profile.items() if key != "cart"},
        {**profile, "rfm": {**profile["rfm"], "flags": "11"}},
    ):
        assert [*judge.iter_errors(wrong)]
