"""Does every metric say what it means, and can none of its labels grow with the shop?"""

import re

import pytest
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from connectors import metrics

BOUNDED = {"topic", "partition", "shard", "rule", "reason", "kind", "result", "limit", "level"}
BOUNDED |= {"step", "within", "stage", "segment"}
"""Names from the configuration, numbers of shards, members of closed lists: never a user, a SKU or a key."""

SPECIFIED = {
    "events_total": {"result"},
    "source_lag_records": {"topic", "partition"},
    "source_lag_seconds": {"topic"},
    "source_caught_up": set(),
    "watermark_timestamp_seconds": {"shard"},
    "trigger_latency_seconds": {"rule"},
    "processing_latency_seconds": set(),
    "triggers_total": {"rule"},
    "triggers_suppressed_total": {"rule", "reason"},
    "last_commit_timestamp_seconds": set(),
    "commit_duration_seconds": set(),
    "commit_batch_events": set(),
    "commit_conflicts_total": {"kind"},
    "replayed_events_total": set(),
    "outbox_entries": set(),
    "outbox_oldest_timestamp_seconds": set(),
    "publish_transactions_total": {"result"},
    "dlq_records_total": {"topic", "reason"},
    "timers_pending": set(),
    "timer_delay_seconds": set(),
    "state_users": set(),
    "state_bytes": set(),
    "cache_requests_total": {"result"},
    "store_errors_total": {"kind"},
    "limit_hits_total": {"limit"},
    "log_messages_total": {"level"},
    "ready": set(),
    "build_info": set(),
}
"""Those of the specification (reliability, section 4). Not there: webhook_deliveries_total and webhook_pending, as
there are no webhooks. By topic are records (`records_total`), of which some are no events; time comes by shard, where
it is the least of all topics, and what is late by topic is `source_lag_seconds`; replayed events have a counter.
"""

METRICS = {name: each for name, each in vars(metrics).items() if isinstance(each, MetricWrapperBase)}
OWN = {name: each for name, each in METRICS.items() if not getattr(each, "_labelvalues", ())}


def test_the_list_is_not_empty() -> None:
    assert len(OWN) > 20


@pytest.mark.parametrize("name", OWN)
def test_a_metric_has_a_meaning_a_prefix_and_bounded_labels(name: str) -> None:
    metric = OWN[name]
    (family,) = metric.describe()

    assert family.name.startswith("beckon_")
    assert re.fullmatch(r"[A-Z1].{15,}\.", family.documentation), "say what it means, in a sentence"
    assert set(metric._labelnames) <= BOUNDED


@pytest.mark.parametrize("name", OWN)
def test_a_time_is_in_seconds_and_a_counter_counts(name: str) -> None:
    (family,) = OWN[name].describe()

    if family.type == "histogram":
        assert family.name.endswith(("_seconds", "_events"))
    assert "_ms" not in family.name


@pytest.mark.parametrize("name", SPECIFIED)
def test_what_is_specified_is_there(name: str) -> None:
    found = [set(each._labelnames) for each in OWN.values() if f"beckon_{name}" in exposed_names(each)]

    assert found == [SPECIFIED[name]]


def exposed_names(metric: MetricWrapperBase) -> set[str]:
    (family,) = metric.describe()
    return {family.name, f"{family.name}_total", f"{family.name}_info"}


def test_every_metric_is_where_prometheus_looks() -> None:
    exposed = {family.name for family in metrics.REGISTRY.collect()}

    assert {family.name for each in OWN.values() for family in each.describe()} <= exposed


def test_a_counter_is_summed_over_the_children_that_are_asked_for() -> None:
    counter = Counter("test_fruit", "Fruit counted by this test.", ("kind", "colour"), registry=None)
    counter.labels(kind="apple", colour="red").inc(2)
    counter.labels(kind="apple", colour="green").inc()
    counter.labels(kind="plum", colour="red").inc(4)

    assert metrics.total(counter) == 7
    assert metrics.total(counter, colour="red") == 6
    assert metrics.total(counter, kind="pear") == 0
