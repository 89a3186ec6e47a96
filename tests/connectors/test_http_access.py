"""Is nobody told of a user who may not ask, and everybody whether the service is well?"""

from __future__ import annotations

import hmac
import http.client
import json
from collections.abc import Callable, Iterator, Mapping

import pytest
from prometheus_client import CollectorRegistry

from connectors.http import StatusServer
from connectors.http_access import Door

TOKEN = "0123456789abcdef01234567"  # noqa: S105 - no secret of anybody
PEOPLE = ("/api/users/u1", "/api/users/u1/explain", "/api/users/nobody", "/api/nothing", "/api/")
EVERYBODY = ("/healthz", "/readyz", "/metrics", "/openapi.json")
Ask = Callable[..., tuple[int, http.client.HTTPMessage, bytes]]


@pytest.fixture
def asked() -> list[str]:
    """Users who were asked for in the store."""
    return []


@pytest.fixture
def ask(request: pytest.FixtureRequest, asked: list[str]) -> Iterator[Ask]:
    """A request to a server behind the door that the test names."""

    def known(user_id: str) -> bytes | None:
        asked.append(user_id)
        return b'{"user_id":"u1"}' if user_id == "u1" else None

    with StatusServer(
        "127.0.0.1",
        0,
        health=lambda: (True, ""),
        ready=lambda: (True, ""),
        profile=known,
        explain=lambda user_id, _: known(user_id),
        registry=CollectorRegistry(),
        door=request.param,
    ) as server:

        def send(
            path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
        ) -> tuple[int, http.client.HTTPMessage, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
            try:
                connection.request(method, path, headers=dict(headers or {}))
                response = connection.getresponse()
                return response.status, response.headers, response.read()
            finally:
                connection.close()

        yield send


TOKEN_NEEDED = pytest.mark.parametrize(
    "ask",
    [Door(TOKEN, on_loopback=False), Door(TOKEN, on_loopback=True)],
    indirect=True,
    ids=["open", "loopback"],
)
CLOSED = pytest.mark.parametrize("ask", [Door("", on_loopback=False)], indirect=True, ids=["closed"])
LOCAL = pytest.mark.parametrize("ask", [Door("", on_loopback=True)], indirect=True, ids=["local"])


@TOKEN_NEEDED
@pytest.mark.parametrize("path", PEOPLE)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_without_the_token_nothing_is_told_and_nothing_is_read(
    ask: Ask, asked: list[str], path: str, method: str
) -> None:
    status, headers, body = ask(path, method=method)

    assert status == 401
    assert headers["WWW-Authenticate"] == 'Bearer realm="beckon"'
    assert b"u1" not in body
    assert asked == []


@TOKEN_NEEDED
@pytest.mark.parametrize(
    "given",
    [
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        "Bearer ",
        "Bearer é",
        f"Bearer {TOKEN} {TOKEN}",
    ],
)
def test_a_wrong_token_is_refused_as_the_standard_says(ask: Ask, asked: list[str], given: str) -> None:
    status, headers, body = ask("/api/users/u1", {"Authorization": given})

    assert status == 401
    assert headers["WWW-Authenticate"] == 'Bearer realm="beckon", error="invalid_token"'
    assert set(json.loads(body)) == {"error"}
    assert TOKEN.encode() not in body
    assert asked == []


@TOKEN_NEEDED
@pytest.mark.parametrize("given", [f"Basic {TOKEN}", TOKEN, f"Bearer{TOKEN}", f"Token {TOKEN}"])
def test_the_token_counts_as_a_bearer_token_alone(ask: Ask, given: str) -> None:
    assert ask("/api/users/u1", {"Authorization": given})[0] == 401
    assert ask(f"/api/users/u1?token={TOKEN}&access_token={TOKEN}")[0] == 401, "addresses are logged"


@TOKEN_NEEDED
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_with_the_token_everything_is_told(ask: Ask, scheme: str) -> None:
    having = {"Authorization": f"{scheme} {TOKEN}"}

    assert [ask(path, having)[0] for path in PEOPLE] == [200, 200, 404, 404, 404]


@pytest.mark.parametrize(
    "ask",
    [Door(TOKEN, on_loopback=False), Door("", on_loopback=False), Door("", on_loopback=True)],
    indirect=True,
    ids=["token", "closed", "local"],
)
def test_health_metrics_and_the_document_are_for_everybody(ask: Ask) -> None:
    """Probes and scrapers have no login as a rule, and there is nothing of a user in these."""
    assert [ask(path)[0] for path in EVERYBODY] == [200] * len(EVERYBODY)


@CLOSED
@pytest.mark.parametrize("given", ["", "Bearer ", f"Bearer {TOKEN}"])
def test_a_port_open_to_others_without_a_token_tells_nobody(ask: Ask, asked: list[str], given: str) -> None:
    status, _, body = ask("/api/users/u1", {"Authorization": given, "Host": "localhost"})

    assert status == 403
    assert "no token is set" in json.loads(body)["error"]
    assert asked == []


@LOCAL
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:8080", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("evil.example", 403),
        ("localhost.evil.example:8080", 403),
        ("[::1", 403),
    ],
)
def test_a_web_page_that_borrows_our_address_is_told_nothing(ask: Ask, host: str, status: int) -> None:
    """DNS rebinding: the browser sends the page's own name."""
    assert ask("/api/users/u1", {"Host": host})[0] == status


def test_comparing_tokens_does_not_tell_how_much_was_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left to the standard library's comparison, whole against whole."""
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    door = Door(TOKEN, on_loopback=False)
    for given in (TOKEN, TOKEN[:-1] + "x", "x" + TOKEN[1:], "x"):
        assert (door.refusal(f"Bearer {given}", "") is None) is (given == TOKEN)

    assert compared == [
        (given.encode(), TOKEN.encode()) for given in (TOKEN, TOKEN[:-1] + "x", "x" + TOKEN[1:], "x")
    ]
