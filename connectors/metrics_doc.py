"""How is docs/metrics.md made? From connectors/metrics.py: `python -m connectors.metrics_doc > docs/metrics.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from prometheus_client import Counter, Gauge, Histogram, Info
from prometheus_client.metrics import MetricWrapperBase

from connectors import metrics

INTRODUCTION = """\
# Metrics

Made from `connectors/metrics.py` by `python -m connectors.metrics_doc > docs/metrics.md`. How to read them, and what
each alert asks for: [operations.md](operations.md).

Every process has its own at `/metrics`. Labels come from the settings or from closed lists, never from events: no
user, SKU or key. Gauges are set once a second; those that say *census* every `engine.census_every`, from a random
sample of at most `engine.census_keys` keys of Redis. A histogram has `_bucket`, `_sum` and `_count`.

"""


def declared() -> Iterator[MetricWrapperBase]:
    """Every metric of ours, in the order of the file; children that are kept for speed are none."""
    for each in vars(metrics).values():
        if isinstance(each, MetricWrapperBase) and not each._labelvalues:
            yield each


def metrics_markdown() -> str:
    rows = ["| metric | kind | labels | meaning |", "| --- | --- | --- | --- |"]
    for metric in declared():
        (family,) = metric.describe()
        name = family.name + {Counter: "_total", Info: "_info"}.get(type(metric), "")
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        rows.append(f"| `{name}` | {_kind(metric)} | {labels} | {family.documentation} |")
    return INTRODUCTION + "\n".join(rows) + "\n"


def _kind(metric: MetricWrapperBase) -> str:
    return {Counter: "counter", Gauge: "gauge", Histogram: "histogram", Info: "info"}[type(metric)]


if __name__ == "__main__":
    sys.stdout.write(metrics_markdown())
