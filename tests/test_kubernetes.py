"""Do the Kubernetes manifests hold together, as far as can be said without a cluster?

Against Kubernetes' own schemas, unknown fields refused. PodMonitor is the Prometheus operator's, whose schema is not
among them: its few fields are compared by hand.
"""

import re
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from config.load import load
from tests.alerts import ALERTS
from tests.test_house import ROOT

FOLDER: Final = ROOT / "deploy" / "kubernetes"
KUSTOMIZATION: Final[dict[str, Any]] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
MANIFESTS: Final[dict[str, dict[str, Any]]] = {
    name: yaml.safe_load((FOLDER / name).read_text()) for name in KUSTOMIZATION["resources"]
}
VERSIONS: Final = ("1.30", "1.37")
STATEFUL_SET: Final = MANIFESTS["stateful-set.yaml"]["spec"]
WORKLOADS: Final = {
    "stateful-set.yaml": STATEFUL_SET["template"],
    "topics.yaml": MANIFESTS["topics.yaml"]["spec"]["template"],
}
FLOW: Final = STATEFUL_SET["template"]["metadata"]["labels"]
BECKON: Final[dict[str, Any]] = STATEFUL_SET["template"]["spec"]["containers"][0]


def test_every_file_is_applied() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*MANIFESTS, "kustomization.yaml", "beckon.yaml"}
    assert [image["name"] for image in KUSTOMIZATION["images"]] == ["beckon"]
    assert KUSTOMIZATION["configMapGenerator"] == [{"name": "beckon", "files": ["beckon.yaml"]}]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", sorted(MANIFESTS.keys() - {"pod-monitor.yaml"}))
def test_manifests_follow_the_schema(name: str, version: str) -> None:
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


@pytest.mark.parametrize(("field", "value"), [("podManagementPolice", "Parallel"), ("replicas", "two")])
def test_the_schema_would_see_a_slip(field: str, value: str) -> None:
    manifest = MANIFESTS["stateful-set.yaml"]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {**manifest, "spec": {**STATEFUL_SET, field: value}}, VERSIONS[-1], strict=True
        )


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_a_container_can_do_little(name: str) -> None:
    pod = WORKLOADS[name]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    users = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert [(str(pod["securityContext"][f"runAs{who}"])) for who in ("User", "Group")] == [*users[0]]
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"].keys() == {"cpu", "memory"}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert {mount["name"] for mount in container["volumeMounts"]} == {
            volume["name"] for volume in pod["volumes"]
        }


def test_a_pod_is_the_same_member_of_the_group_as_before() -> None:
    """Static membership by slot: decision 0009."""
    variable = {each["name"]: each for each in BECKON["env"]}["BECKON__KAFKA__INSTANCE_ID"]
    assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert STATEFUL_SET["podManagementPolicy"] == "Parallel"
    assert STATEFUL_SET["updateStrategy"] == {"type": "RollingUpdate"}
    assert STATEFUL_SET["serviceName"] == MANIFESTS["service.yaml"]["metadata"]["name"]
    assert MANIFESTS["service.yaml"]["spec"]["clusterIP"] == "None"


def test_probes_ask_what_is_answered() -> None:
    paths = {name: probe["httpGet"]["path"] for name, probe in BECKON.items() if name.endswith("Probe")}
    assert paths == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert {probe["httpGet"]["port"] for name, probe in BECKON.items() if name.endswith("Probe")} == {"http"}
    minutes = BECKON["livenessProbe"]["periodSeconds"] * BECKON["livenessProbe"]["failureThreshold"] / 60
    assert minutes >= 5, "a restart mends no broker"


def test_the_settings_are_good_with_the_secrets_from_files(tmp_path: Path) -> None:
    environ = {}
    for each in BECKON["env"]:
        secret = tmp_path / Path(each.get("value", "pod-name")).name
        secret.write_text("hunter2\n")
        environ[each["name"]] = str(secret) if each["name"].endswith("_FILE") else "beckon-0"
    settings = load(FOLDER / "beckon.yaml", environ, [])

    assert (settings.redis.password, settings.kafka.options["sasl.password"]) == ("hunter2", "hunter2")
    assert settings.kafka.instance_id == "beckon-0"
    assert settings.kafka.replication_factor == 3
    assert [port["containerPort"] for port in BECKON["ports"]] == [settings.http.port]
    assert STATEFUL_SET["replicas"] <= settings.kafka.partitions
    text = "".join(path.read_text() for path in FOLDER.iterdir())
    assert "kind: Secret" not in text
    assert not re.search(r"(password|token): *\S", text)


def test_selectors_choose_the_processes() -> None:
    for selector in (
        STATEFUL_SET["selector"]["matchLabels"],
        MANIFESTS["service.yaml"]["spec"]["selector"],
        MANIFESTS["disruption-budget.yaml"]["spec"]["selector"]["matchLabels"],
        MANIFESTS["pod-monitor.yaml"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector == FLOW
    chosen = MANIFESTS["network-policy.yaml"]["spec"]["podSelector"]["matchLabels"]
    for workload in WORKLOADS.values():
        assert chosen.items() <= workload["metadata"]["labels"].items()
    assert WORKLOADS["topics.yaml"]["metadata"]["labels"] != FLOW, "the Service would name it"


def test_the_network_is_closed_but_for_what_is_needed() -> None:
    policy = MANIFESTS["network-policy.yaml"]["spec"]
    settings = load(FOLDER / "beckon.yaml", {}, [])
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == ["http"]
    assert all(rule["from"] for rule in policy["ingress"])
    out = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    needed = {
        int(address.rpartition(":")[2].partition("/")[0])
        for address in (settings.kafka.bootstrap_servers, settings.redis.url.removesuffix("/0"))
    }
    assert out == {53, *needed}
    assert all(rule["to"] for rule in policy["egress"])


def test_prometheus_calls_the_job_as_the_alerts_do() -> None:
    monitor = MANIFESTS["pod-monitor.yaml"]
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["spec"].keys() == {"jobLabel", "selector", "podMetricsEndpoints"}
    assert [each["port"] for each in monitor["spec"]["podMetricsEndpoints"]] == ["http"]
    assert all(each["path"] == "/metrics" for each in monitor["spec"]["podMetricsEndpoints"])
    jobs = {job for alert in ALERTS.values() for job in re.findall(r'job="([^"]+)"', alert["expr"])}
    assert jobs == {FLOW[monitor["spec"]["jobLabel"]]}
