"""How do spans of what goes out get to a collector? By OpenTelemetry, where the settings ask for it (extra `otel`).

A trace is one round of a process that published: from the first event in it to the end of the transaction. Each trigger
is a span of it, from when it became due, and is *linked* to the trace of its cause: a round serves many. The records
themselves do not change: their `traceparent` is that of the cause, so that a replay says the same.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from connectors import logs, metrics
from connectors.publisher import Parcel
from state.ledger import Entry

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

_NANOS: Final = 1_000_000_000
_BATCH_SPANS: Final = 512  # as OpenTelemetry's own processor
_BATCH_SECONDS: Final = 1.0
_EXPORT_SECONDS: Final = 5.0  # a collector that does not answer is asked no longer for one batch
_END_SECONDS: Final = 5.0  # the end of the process waits no longer for a collector

log = logs.get("traces")


class CannotTrace(Exception):
    """Spans are asked for, and what makes them is not installed."""


class Traces:
    """Belongs to the flow's thread; spans are sent on another. At most `queued_spans` wait, what is more is dropped."""

    def __init__(self, exporter: SpanExporter, *, about: Mapping[str, str], queued_spans: int) -> None:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._trace = trace
        self._propagator = TraceContextTextMapPropagator()
        self._sender = _sender(exporter, queued_spans)
        provider = TracerProvider(resource=Resource.create(dict(about)), shutdown_on_exit=False)
        provider.add_span_processor(self._sender)
        self._tracer = provider.get_tracer("beckon")
        self._commit: tuple[float, float, int] | None = None
        self._commit_of_begun: tuple[float, float, int] | None = None

    def committed(self, waited_seconds: float, took_seconds: float) -> None:
        """A commit has just been acknowledged; its first event had waited so long by then."""
        self._commit = max(waited_seconds, took_seconds), took_seconds, time.time_ns()

    def begun(self) -> None:
        """A transaction has begun: what goes out with it is of commits up to here."""
        self._commit_of_begun, self._commit = self._commit, None

    def published(self, parcels: Sequence[Parcel], took_seconds: float) -> None:
        """A transaction is out. One that holds offsets alone is no trace."""
        entries = [entry for parcel in parcels for entry in parcel.entries]
        commit, self._commit_of_begun = self._commit_of_begun, None
        if not entries:
            return
        end = time.time_ns()
        begun = end - int(took_seconds * _NANOS)
        first = begun if commit is None else min(begun, commit[2] - int(commit[0] * _NANOS))
        whole = self._tracer.start_span("round", start_time=first)
        whole.set_attributes({"beckon.shards": len(parcels), "beckon.records": len(entries)})
        inside = self._trace.set_span_in_context(whole)
        if commit is not None:
            _, took, at = commit
            self._span("commit", inside, at - int(took * _NANOS), at)
        self._span("publish", inside, begun, end)
        for entry in entries:
            if entry.rule:
                self._tell(entry, inside, end)
        whole.end(end)

    def close(self) -> None:
        """What waits is sent, if that goes quickly."""
        self._sender.shutdown()

    def _span(self, name: str, inside: Context, begun: int, end: int) -> None:
        self._tracer.start_span(name, inside, start_time=begun).end(end)

    def _tell(self, entry: Entry, inside: Context, end: int) -> None:
        span = self._tracer.start_span(
            f"trigger {entry.rule}",
            inside,
            kind=self._trace.SpanKind.PRODUCER,
            links=self._links(entry),
            start_time=min(entry.at * 1_000_000, end),
        )
        span.set_attributes({"beckon.rule": entry.rule, "beckon.trigger_id": entry.id})
        span.end(end)

    def _links(self, entry: Entry) -> list[Any]:
        """To the span in which the cause was made, if its producer said one that is well-formed."""
        parent = dict(entry.headers).get("traceparent")
        if parent is None:
            return []
        carried = {"traceparent": parent.decode(errors="replace")}
        cause = self._trace.get_current_span(self._propagator.extract(carried)).get_span_context()
        return [self._trace.Link(cause)] if cause.is_valid else []


def traces_to(endpoint: str, *, about: Mapping[str, str], queued_spans: int) -> Traces:
    """By OTLP over HTTP; `endpoint` is the whole address. Raises CannotTrace without the extra `otel`."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise CannotTrace(
            f"tracing.enabled needs OpenTelemetry ({error.name} is missing): pip install 'beckon[otel]'"
        ) from error
    exporter = OTLPSpanExporter(endpoint, timeout=_EXPORT_SECONDS)
    return Traces(exporter, about=about, queued_spans=queued_spans)


def _sender(exporter: SpanExporter, queued_spans: int) -> Any:
    """A span processor; OpenTelemetry's own drops what is too much as well, but tells nobody how much."""
    from opentelemetry.sdk.trace import SpanProcessor

    waiting = _Waiting(exporter, queued_spans)

    class Sender(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            waiting.put(span)

        def shutdown(self) -> None:
            waiting.close()

    return Sender()


class _Waiting:
    """Spans on their way to the exporter, which is asked on a thread of its own."""

    def __init__(self, exporter: SpanExporter, most: int) -> None:
        self._exporter = exporter
        self._spans: queue.Queue[ReadableSpan] = queue.Queue(most)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="traces", daemon=True)
        self._thread.start()

    def put(self, span: ReadableSpan) -> None:
        try:
            self._spans.put_nowait(span)
        except queue.Full:
            metrics.SPANS.labels(result="dropped").inc()

    def close(self) -> None:
        self._over.set()
        self._thread.join(_END_SECONDS)
        self._exporter.shutdown()

    def _work(self) -> None:
        while not self._over.wait(_BATCH_SECONDS):
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        while batch := self._batch():
            result = "sent" if self._send(batch) else "failed"
            metrics.SPANS.labels(result=result).inc(len(batch))

    def _send(self, batch: Sequence[ReadableSpan]) -> bool:
        try:
            return self._exporter.export(batch).name == "SUCCESS"
        except Exception as error:  # noqa: BLE001 - the flow goes on, whatever becomes of its spans
            log.warning("spans could not be sent", error=type(error).__name__)
            return False

    def _batch(self) -> list[ReadableSpan]:
        batch: list[ReadableSpan] = []
        with contextlib.suppress(queue.Empty):
            while len(batch) < _BATCH_SPANS:
                batch.append(self._spans.get_nowait())
        return batch
