"""What do spans say, how many may wait, and what if nobody takes them?"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from connectors import metrics
from connectors.publisher import Parcel, Progress
from connectors.traces import CannotTrace, Traces, traces_to
from state.ledger import Entry

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()
USER = "somebody-in-particular"


def entry(number: int, rule: str, *headers: tuple[str, bytes], at: int = 1_790_000_000_000) -> Entry:
    return Entry(
        "owner", number, f"id{number}", "triggers", 0, USER.encode(), b"{}", list(headers), USER, rule, at
    )


def parcel(*entries: Entry) -> Parcel:
    return Parcel(0, list(entries), Progress(), "before", "after", True)


def counted(result: str) -> int:
    return metrics.total(metrics.SPANS, result=result)


def told(traces: Traces, exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    traces.close()
    return {span.name: span for span in exporter.get_finished_spans()}


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(exporter: InMemorySpanExporter) -> Traces:
    return Traces(exporter, about={"service.name": "beckon"}, queued_spans=100)


def test_a_round_holds_its_commit_its_transaction_and_its_triggers(
    traces: Traces, exporter: InMemorySpanExporter
) -> None:
    traces.committed(0.2, 0.1)
    traces.begun()
    traces.published([parcel(entry(1, "welcome_pack", ("traceparent", PARENT)), entry(2, ""))], 0.05)
    spans = told(traces, exporter)
    assert spans.keys() == {"round", "commit", "publish", "trigger welcome_pack"}
    whole = spans.pop("round")
    assert whole.parent is None
    assert whole.attributes == {"beckon.shards": 1, "beckon.records": 2}
    for span in spans.values():
        assert span.parent == whole.context
        assert span.end_time is not None
        assert whole.end_time is not None
        assert span.end_time <= whole.end_time
    assert seconds(spans["commit"]) == pytest.approx(0.1)
    assert seconds(spans["publish"]) == pytest.approx(0.05)
    assert 0.2 <= seconds(whole) < 5.0


def test_a_trigger_is_linked_to_its_cause_and_names_nobody(
    traces: Traces, exporter: InMemorySpanExporter
) -> None:
    due = time.time_ns() // 1_000_000 - 1000
    traces.published([parcel(entry(1, "welcome_pack", ("traceparent", PARENT), at=due))], 0.05)
    span = told(traces, exporter)["trigger welcome_pack"]
    (link,) = span.links
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (TRACE, SPAN)
    assert span.context is not None
    assert span.context.trace_id != link.context.trace_id
    assert span.start_time == due * 1_000_000
    assert span.attributes == {"beckon.rule": "welcome_pack", "beckon.trigger_id": "id1"}
    assert USER not in span.to_json()


@pytest.mark.parametrize("said", [b"nonsense", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"\xff\xfe"])
def test_what_is_no_trace_is_linked_to_nothing(
    traces: Traces, exporter: InMemorySpanExporter, said: bytes
) -> None:
    traces.published([parcel(entry(1, "welcome_pack", ("traceparent", said)))], 0.0)
    assert not told(traces, exporter)["trigger welcome_pack"].links


def test_offsets_alone_are_no_trace(traces: Traces, exporter: InMemorySpanExporter) -> None:
    traces.committed(0.2, 0.1)
    traces.published([parcel()], 0.05)
    assert not told(traces, exporter)


class Holding(SpanExporter):
    """A collector that takes its time."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()
        self.most = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.most = max(self.most, len(spans))
        self.asked.set()
        self.go_on.wait(30.0)
        return SpanExportResult.SUCCESS


def test_more_than_may_wait_is_dropped_and_counted_and_the_flow_does_not_wait() -> None:
    collector = Holding()
    traces = Traces(collector, about={}, queued_spans=10)
    before = {result: counted(result) for result in ("sent", "dropped")}
    traces.published([parcel(entry(1, "welcome_pack"))], 0.0)  # 3 spans, which the collector gets
    assert collector.asked.wait(30.0)
    begun = time.monotonic()
    for number in range(100):
        traces.published([parcel(entry(number, "welcome_pack"))], 0.0)
    assert time.monotonic() - begun < 10.0
    assert counted("dropped") - before["dropped"] == 300 - 10
    collector.go_on.set()
    traces.close()
    assert counted("sent") - before["sent"] == 13


class Failing(SpanExporter):
    def __init__(self, how: Callable[[], SpanExportResult]) -> None:
        self._how = how

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._how()


def raises() -> SpanExportResult:
    raise RuntimeError("no")


@pytest.mark.parametrize("how", [raises, lambda: SpanExportResult.FAILURE])
def test_a_collector_that_fails_is_counted(how: Callable[[], SpanExportResult]) -> None:
    before = counted("failed")
    traces = Traces(Failing(how), about={}, queued_spans=10)
    traces.published([parcel(entry(1, "welcome_pack"))], 0.0)
    traces.close()
    assert counted("failed") - before == 3


def test_without_the_extra_it_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(CannotTrace, match=r"pip install 'beckon\[otel\]'"):
        traces_to("http://127.0.0.1:4318/v1/traces", about={}, queued_spans=1)


def test_the_service_loads_nothing_of_it_until_it_is_asked_for() -> None:
    """Redis' client loads what it could count with, where it is there; what makes and sends spans is ours."""
    ours = {"opentelemetry.sdk.trace", "opentelemetry.exporter"}
    code = f"import sys, flows.service; sys.exit(bool({ours} & {{*sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def seconds(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9
