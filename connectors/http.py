"""How do Prometheus, an orchestrator and a person ask a running beckon? Over a few read-only paths.

`/metrics`, `/healthz` (does it get on?), `/readyz` (may it be relied on?), `/openapi.json` (what can be asked here),
`/api/users/<id>` (a profile), `/api/users/<id>/explain?rule=&at=` (why and why not).
What is below `/api/` is about people: who asks from elsewhere must have the token (`connectors/http_access.py`).
Requests are not logged: their paths hold user ids.
"""

from __future__ import annotations

import json
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from connectors import logs, openapi
from connectors.http_access import Door

Check = Callable[[], tuple[bool, str]]
"""(is it so, why) in one line."""

_API: Final = "/api/"
_USERS: Final = "/api/users/"
_EXPLAIN: Final = "explain"
_JSON: Final = "application/json; charset=utf-8"
_REQUEST_SECONDS: Final = 10.0  # a client that does not finish its request holds a thread no longer

log = logs.get("http")


class BadQuery(Exception):
    """The asker must ask otherwise; the text says how."""


class Answer(NamedTuple):
    """`challenge`: the WWW-Authenticate of a 401."""

    status: HTTPStatus
    content_type: str
    body: bytes
    challenge: str = ""


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


_NO_SUCH_PATH: Final = Answer(HTTPStatus.NOT_FOUND, _JSON, _json({"error": "no such path"}))


class StatusServer:
    """A server in a daemon thread. The callables are asked on its threads, one per request."""

    def __init__(
        self,
        bind: str,
        port: int,
        *,
        health: Check,
        ready: Check,
        profile: Callable[[str], bytes | None],
        explain: Callable[[str, Mapping[str, str]], bytes | None],
        registry: CollectorRegistry,
        door: Door,
    ) -> None:
        """Listen on `bind`:`port` (0: any free port) at once; OSError where that is not to be had.

        `profile(user_id)`: the profile as JSON, None for a user nobody knows; likewise `explain(user_id, query)`,
        which raises BadQuery. `door`: who may ask these two.
        """
        self._health = health
        self._ready = ready
        self._profile = profile
        self._explain = explain
        self._registry = registry
        self._door = door
        try:
            self._server = (_Server6 if ":" in bind else _Server)(self, bind, port)
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on {bind} port {port}: {error.strerror}") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="http", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Answer nobody any more; the port is free when this returns."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, target: str, headers: Message[str, str]) -> Answer:
        """To a GET of `target`."""
        parts = urlsplit(target)
        path = parts.path
        if path.startswith(_API):
            refused = self._door.refusal(headers.get("Authorization", ""), headers.get("Host", ""))
            if refused is not None:
                return Answer(refused.status, _JSON, _json({"error": refused.why}), refused.challenge)
            return self._about_people(path, parts.query)
        if path == "/metrics":
            encode, content_type = choose_encoder(headers.get("Accept", ""))
            return Answer(HTTPStatus.OK, content_type, encode(self._registry))
        if path == "/healthz":
            return _status(self._health)
        if path == "/readyz":
            return _status(self._ready)
        if path == "/openapi.json":
            return Answer(HTTPStatus.OK, _JSON, openapi.document())
        return _NO_SUCH_PATH

    def _about_people(self, path: str, query: str) -> Answer:
        user_id, _, about = path.removeprefix(_USERS).partition("/")
        if (
            path.startswith(_USERS)
            and user_id
            and path in (_USERS + user_id, f"{_USERS}{user_id}/{_EXPLAIN}")
        ):
            return self._user(user_id, dict(parse_qsl(query)) if about else None)
        return _NO_SUCH_PATH

    def _user(self, quoted: str, explained: Mapping[str, str] | None) -> Answer:
        """The profile, or the explanation that a query asks for."""
        try:
            user_id = unquote(quoted, errors="strict")
        except UnicodeDecodeError:
            return Answer(HTTPStatus.BAD_REQUEST, _JSON, _json({"error": "the user id is not UTF-8"}))
        try:
            body = self._profile(user_id) if explained is None else self._explain(user_id, explained)
        except BadQuery as error:
            return Answer(HTTPStatus.BAD_REQUEST, _JSON, _json({"error": str(error)}))
        if body is None:
            return Answer(HTTPStatus.NOT_FOUND, _JSON, _json({"error": "no such user"}))
        return Answer(HTTPStatus.OK, _JSON, body)


class _Request(BaseHTTPRequestHandler):
    server: _Server
    server_version = "beckon"
    sys_version = ""
    timeout = _REQUEST_SECONDS

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        try:
            answer = self.server.status.answer(self.path, self.headers)
        except Exception as error:  # the store may be away; the asker hears so, and the server lives on
            log.exception("a request could not be answered", error=type(error).__name__)
            body = _json({"error": f"cannot be answered now ({type(error).__name__})"})
            answer = Answer(HTTPStatus.SERVICE_UNAVAILABLE, _JSON, body)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.challenge:
            self.send_header("WWW-Authenticate", answer.challenge)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Nothing: see the module."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, status: StatusServer, bind: str, port: int) -> None:
        self.status = status
        super().__init__((bind, port), _Request)

    def server_bind(self) -> None:
        # The base class asks DNS for the name of the address, which may take seconds and serves nobody here.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that went away in the middle is no news
            log.exception("a connection ended by an error of ours")


class _Server6(_Server):
    address_family = socket.AF_INET6


def _status(check: Check) -> Answer:
    good, why = check()
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return Answer(status, _JSON, _json({"ok": good, "why": why}))
