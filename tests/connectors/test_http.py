"""Does the status server tell the truth, to readers only, and nothing about them?"""

import http.client
import json
import socket
from collections.abc import Callable, Iterator, Mapping

import pytest
from prometheus_client import CollectorRegistry, Counter

from connectors.http import BadQuery, StatusServer
from connectors.http_access import Door

OPEN = Door("", on_loopback=True)
PROFILES = {"u1": b'{"user_id":"u1"}', "王 芳": b'{"user_id":"fang"}'}


class Shop:
    """What the server asks, to be changed by a test."""

    def __init__(self) -> None:
        self.health = (True, "last commit 0.1 s ago")
        self.ready = (False, "replaying")
        self.profile: Callable[[str], bytes | None] = PROFILES.get
        self.asked: list[str] = []
        self.queries: list[tuple[str, Mapping[str, str]]] = []

    def explain(self, user_id: str, query: Mapping[str, str]) -> bytes | None:
        self.queries.append((user_id, query))
        if query.get("rule") == "nonsense":
            raise BadQuery("there is no rule 'nonsense'")
        return b'{"rules":[]}' if user_id in PROFILES else None

    def answer(self, user_id: str) -> bytes | None:
        self.asked.append(user_id)
        return self.profile(user_id)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def server(shop: Shop) -> Iterator[StatusServer]:
    registry = CollectorRegistry()
    Counter("beckon_test", "Counted by this test.", registry=registry).inc(3)
    with StatusServer(
        "127.0.0.1",
        0,
        health=lambda: shop.health,
        ready=lambda: shop.ready,
        profile=shop.answer,
        explain=shop.explain,
        registry=registry,
        door=OPEN,
    ) as server:
        yield server


def ask(
    server: StatusServer, path: str, method: str = "GET", host: str = "127.0.0.1"
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(host, server.port, timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def test_metrics_are_served_as_prometheus_reads_them(server: StatusServer) -> None:
    status, headers, body = ask(server, "/metrics")

    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    assert b"beckon_test_total 3.0" in body


def test_health_and_readiness_are_asked_each_time_and_say_why(server: StatusServer, shop: Shop) -> None:
    assert ask(server, "/healthz")[0] == 200
    status, _, body = ask(server, "/readyz")
    assert (status, json.loads(body)) == (503, {"ok": False, "why": "replaying"})
    assert body.count(b"\n") == 1

    shop.health, shop.ready = (False, "no commit for 20 s"), (True, "8 shards")

    assert ask(server, "/healthz")[0] == 503
    assert ask(server, "/readyz")[0] == 200


@pytest.mark.parametrize("path", ["/api/users/u1", "/api/users/u1?pretty=1", "/api/users/%75%31"])
def test_a_profile_is_found_by_its_percent_decoded_id(server: StatusServer, path: str) -> None:
    status, headers, body = ask(server, path)

    assert (status, body) == (200, PROFILES["u1"])
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"


def test_an_id_may_hold_any_character(server: StatusServer, shop: Shop) -> None:
    assert ask(server, "/api/users/%E7%8E%8B%20%E8%8A%B3")[2] == b'{"user_id":"fang"}'

    ask(server, "/api/users/a%2Fb%3F%25+c")

    assert shop.asked[-1] == "a/b?%+c"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/users/nobody", 404),
        ("/api/users/", 404),
        ("/api/users/u1/secrets", 404),
        ("/api/users/u1/explain/", 404),
        ("/api/users//explain", 404),
        ("/api/users/nobody/explain", 404),
        ("/api/users/%FF/explain", 400),
        ("/api/users/u1/explain?rule=nonsense", 400),
        ("/api/users", 404),
        ("/api/users/%FF", 400),
        ("/", 404),
        ("/metrics/", 404),
        ("/../etc/passwd", 404),
    ],
)
def test_what_there_is_not_is_said_in_json(server: StatusServer, path: str, status: int) -> None:
    found, headers, body = ask(server, path)

    assert found == status
    assert headers["Content-Type"].startswith("application/json")
    assert set(json.loads(body)) == {"error"}


def test_why_is_asked_with_what_the_query_says(server: StatusServer, shop: Shop) -> None:
    status, headers, body = ask(
        server, "/api/users/%75%31/explain?rule=low_stock&at=2026-11-26T10:00:00%2B01:00"
    )

    assert (status, body) == (200, b'{"rules":[]}')
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert shop.queries == [("u1", {"rule": "low_stock", "at": "2026-11-26T10:00:00+01:00"})]
    assert ask(server, "/api/users/u1/explain")[0] == 200
    assert shop.queries[1] == ("u1", {})


def test_a_head_request_has_the_headers_alone(server: StatusServer) -> None:
    status, headers, body = ask(server, "/api/users/u1", "HEAD")

    assert (status, headers["Content-Length"], body) == (200, str(len(PROFILES["u1"])), b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed_over_http(server: StatusServer, method: str) -> None:
    assert ask(server, "/api/users/u1", method)[0] == 501


def test_a_store_that_fails_fails_one_request_only(
    server: StatusServer, shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    def gone(user_id: str) -> bytes | None:
        raise ConnectionError("the store is away")

    shop.profile = gone
    status, _, body = ask(server, "/api/users/u1")

    assert status == 503
    assert "ConnectionError" in json.loads(body)["error"]
    assert ask(server, "/healthz")[0] == 200
    assert "the store is away" in "".join(capfd.readouterr()), "the operator hears why"


def test_requests_leave_no_user_id_behind(server: StatusServer, capfd: pytest.CaptureFixture[str]) -> None:
    ask(server, "/api/users/secret-person")
    ask(server, "/api/users/secret-person", "POST")

    assert "secret-person" not in "".join(capfd.readouterr())


def test_the_port_is_free_after_a_stop_and_taken_before(server: StatusServer) -> None:
    port = server.port
    silent: Callable[[], tuple[bool, str]] = lambda: (True, "")  # noqa: E731 - two callables of the same shape
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}"):
        StatusServer(
            "127.0.0.1",
            port,
            health=silent,
            ready=silent,
            profile=PROFILES.get,
            explain=Shop().explain,
            registry=CollectorRegistry(),
            door=OPEN,
        )

    server.stop()

    with pytest.raises(ConnectionRefusedError):
        ask(server, "/healthz")
    with socket.create_server(("127.0.0.1", port)):
        pass  # somebody else may have it


def test_an_ipv6_address_can_be_bound() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine: {error}")
    with StatusServer(
        "::1",
        0,
        health=lambda: (True, ""),
        ready=lambda: (True, ""),
        profile=PROFILES.get,
        explain=Shop().explain,
        registry=CollectorRegistry(),
        door=OPEN,
    ) as server:
        assert ask(server, "/healthz", host="::1")[0] == 200
