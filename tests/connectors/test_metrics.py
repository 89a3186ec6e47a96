"""Does every metric say what it means, and can none of its labels grow with the shop?"""

import re

import pytest
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from connectors import metrics

BOUNDED = {"topic", "partition", "shard", "rule", "reason", "kind", "result", "limit", "level"}
BOUNDED |= {"step", "within", "stage", "segment"}
"""Names from the configuration, numbers of shards, members of closed lists: never a user, a SKU or a key."""

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
