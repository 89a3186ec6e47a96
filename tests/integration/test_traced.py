"""Does a running service send a collector what it says of a trigger, and nothing that names a person?

The collector is an HTTP server of the test on loopback, which takes OTLP as any collector does.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.integration.installation import Installation, eventually, lines_of
from tests.servers.ports import free_port

TRACE, CAUSE = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
USER = "somebody-in-particular"
SETTINGS = {"files": {"directory": "log"}, "policy": {"enabled": False}}


class Collector:
    """`bodies`: of every request to /v1/traces."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Request(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/v1/traces":
                    collector.bodies.append(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
                """Nothing: the terminal is the tests'."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    @property
    def requests(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    taking = Collector()
    yield taking
    taking.stop()


def register(log: Path) -> None:
    log.mkdir(parents=True, exist_ok=True)
    event = {"event_id": "e1", "type": "registered", "ts": time.time_ns() // 1_000_000, "user_id": USER}
    line = json.dumps({**event, "traceparent": f"00-{TRACE}-{CAUSE}-01"})
    with (log / "customers.jsonl").open("a") as file:
        file.write(line + "\n")


def triggers(directory: Path) -> list[dict[str, object]]:
    path = directory / "log" / "triggers.jsonl"
    return lines_of(path) if path.exists() else []


def test_a_trigger_is_seen_with_its_round_and_linked_to_the_trace_of_its_cause(
    collector: Collector, tmp_path: Path
) -> None:
    settings = {**SETTINGS, "tracing": {"enabled": True, "endpoint": collector.endpoint}}
    with Installation(tmp_path / "shop", settings) as shop:
        register(shop.directory / "log")
        process = shop.start("run")
        eventually(lambda: triggers(shop.directory), what="a trigger")
        process.terminate()
        assert process.wait(30) == 0, process.said()
        told = {str(trigger["id"]): trigger for trigger in triggers(shop.directory)}
        app = shop.app
    spans = {span.name: span for span in collector.spans}
    rounds = {span.span_id: span for span in collector.spans if span.name == "round"}
    seen = {attributes(span)["beckon.trigger_id"]: span for span in spans.values() if span.links}
    assert {"round", "commit", "publish"} <= spans.keys()
    assert seen.keys() == told.keys()
    for trigger_id, span in seen.items():
        (link,) = span.links
        assert (link.trace_id.hex(), link.span_id.hex()) == (TRACE, CAUSE)
        assert told[trigger_id]["traceparent"] == f"00-{TRACE}-{CAUSE}-01"
        assert span.parent_span_id in rounds
        assert span.trace_id == rounds[span.parent_span_id].trace_id
    (resource,) = {request.resource_spans[0].resource.SerializeToString() for request in collector.requests}
    assert b"service.name" in resource
    assert app.encode() in resource
    assert not [body for body in collector.bodies if USER.encode() in body], "a person is named"


def test_a_collector_that_is_not_there_holds_nothing_up(tmp_path: Path) -> None:
    nowhere, port = f"http://127.0.0.1:{free_port()}/v1/traces", free_port()
    settings = {
        **SETTINGS,
        "http": {"enabled": True, "port": port},
        "tracing": {"enabled": True, "endpoint": nowhere},
    }
    with Installation(tmp_path / "shop", settings) as shop:
        register(shop.directory / "log")
        process = shop.start("run")
        eventually(lambda: triggers(shop.directory), what="a trigger")
        eventually(lambda: failed(port) > 0, what="the metric")
        process.terminate()
        assert process.wait(30) == 0, process.said()
        assert USER not in process.said()


def test_at_its_default_nobody_is_told(collector: Collector, tmp_path: Path) -> None:
    """Also where OpenTelemetry's own variable names a collector."""
    with Installation(tmp_path / "shop", SETTINGS) as shop:
        register(shop.directory / "log")
        process = shop.start("run", environ={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector.endpoint})
        eventually(lambda: triggers(shop.directory), what="a trigger")
        process.terminate()
        assert process.wait(30) == 0, process.said()
    assert not collector.bodies


def attributes(span: Span) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in span.attributes}


def failed(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    values = [line.split()[1] for line in lines if line.startswith('beckon_spans_total{result="failed"}')]
    return sum(map(float, values))
