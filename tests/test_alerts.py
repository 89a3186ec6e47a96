"""Does every alert fire when it should, only then, on metrics that exist, and with a page that says what to do?"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml

from connectors.metrics_doc import declared, metrics_markdown
from tests.alerts import ALERTS, RULES
from tests.test_house import ROOT

WANTED: Final = {
    *(
        "Down",
        "NotReady",
        "CommitStale",
        "LagSecondsHigh",
        "WatermarkStalled",
        "TriggerLatencyP99",
        "OutboxStuck",
    ),
    *("PublishUnknown", "RedisRollback", "FencedLoop", "DlqRate", "StateNearLimit", "NoTriggers"),
}
"""Those of the specification (reliability, section 4), but for WebhookFailing: there are no webhooks."""
WRITTEN: Final = sorted((ROOT / "tests" / "deploy").glob("*.yaml"))
RUNBOOK: Final = (
    (ROOT / "docs" / "operations.md").read_text().partition("## Runbook\n")[2].partition("\n## ")[0]
)
NOT_OURS: Final = {"up", "process_start_time_seconds"}


def test_the_alerts_are_those_of_the_specification() -> None:
    assert set(ALERTS) == WANTED


def test_prometheus_reads_the_alerts() -> None:
    configuration = yaml.safe_load((RULES.parent / "prometheus.yml").read_text())
    assert configuration["rule_files"] == [RULES.name]


def test_every_alert_behaves_as_written() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on the PATH (Debian: prometheus)")
    done = subprocess.run([promtool, "test", "rules", *WRITTEN], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_written_to_fire_and_not_to_fire() -> None:
    fires: dict[str, set[bool]] = {}
    for path in WRITTEN:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for asked in test["alert_rule_test"]:
                fires.setdefault(asked["alertname"], set()).add(bool(asked["exp_alerts"]))
    assert fires == {name: {True, False} for name in ALERTS}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_urgent_it_is_and_has_its_entry_in_the_runbook(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["runbook_url"] == f"docs/operations.md#{name.lower()}"
    entry = RUNBOOK.partition(f"### {name}\n")[2].partition("\n### ")[0]
    assert re.findall(r"^- \*\*(.+?)\*\*: \S", entry, re.MULTILINE) == ["Means", "Look at", "Do"]


def test_the_runbook_knows_no_alert_that_is_not_there() -> None:
    assert re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE) == list(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_asks_for_metrics_and_labels_that_exist(name: str) -> None:
    labels_of = {family.name: {*each._labelnames} for each in declared() for family in each.describe()}
    expression = ALERTS[name]["expr"]
    names = set(re.findall(r"\b(?:beckon_\w+|up|process_\w+)\b", re.sub(r"\"[^\"]*\"", '""', expression)))
    assert names
    bare = {re.sub(r"_(total|bucket|sum|count)$", "", each) for each in names - NOT_OURS}
    assert bare <= labels_of.keys()
    asked = set(re.findall(r"(\w+)\s*=\s*\"", expression)) | set(re.findall(r"by \((\w+)\)", expression))
    assert asked <= {"job", "le"}.union(*(labels_of[each] for each in bare))


def test_every_metric_is_documented() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == metrics_markdown(), (
        "python -m connectors.metrics_doc > docs/metrics.md"
    )


def test_metrics_named_in_the_pages_exist() -> None:
    known = {
        re.sub(r"_(total|info)$", "", name) for name in re.findall(r"`(beckon_\w+)`", metrics_markdown())
    }
    for page in sorted((ROOT / "docs").glob("*.md")):
        for name in re.findall(r"`(beckon_\w+)", page.read_text()):
            assert re.sub(r"_(total|bucket|sum|count|info)$", "", name) in known, f"{page.name}: {name}"


def test_panels_named_in_the_page_exist() -> None:
    titles = {
        title
        for path in sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
        for title in re.findall(r'"title": "([^"]+)"', Path(path).read_text())
    }
    page = (ROOT / "docs" / "operations.md").read_text()
    named = re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", re.sub(r"\s+", " ", page))
    assert len(named) > 20
    missing = [name for name in named if not any(title.startswith(name) for title in titles)]
    assert not missing
