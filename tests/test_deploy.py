"""Do the container files and dashboards hold together, as far as can be said without a Docker engine?"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from connectors import metrics
from tests.test_house import PACKAGES, ROOT

COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
DASHBOARDS: Final = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
ONE_SHOT: Final = {"topics", "demo", "reader", "service"}  # nobody waits for their health


def run_tool(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def tool(name: str) -> Path:
    """A program that a wheel has put next to this interpreter."""
    return Path(sys.executable).with_name(name)


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool on the PATH (Debian: prometheus)")
    return found


def test_compose_follows_the_specification() -> None:
    run_tool(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")
    assert "version" not in COMPOSE, "obsolete: engines warn about it"


def test_without_a_profile_only_what_is_needed_starts() -> None:
    started = {name for name, service in SERVICES.items() if not service.get("profiles")}
    assert started == {"kafka", "redis", "topics", "beckon"}
    with_profile: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for profile in service.get("profiles", []):
            with_profile.setdefault(profile, set()).add(name)
    assert with_profile == {
        "demo": {"demo"},
        "observability": {"prometheus", "grafana"},
        "people": {"reader", "service"},
    }


def test_every_image_is_pinned() -> None:
    images = {service["image"] for service in SERVICES.values()} - {"beckon:local"}
    assert all(re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+(-\w+)?", image) for image in images), images


def test_every_port_is_on_loopback() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports), ports


def test_servers_say_how_they_are_and_nobody_waits_for_one_that_does_not() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == ONE_SHOT
    for name, service in SERVICES.items():
        for other, wait in service.get("depends_on", {}).items():
            healthy = "healthcheck" in SERVICES[other]
            expected = "service_healthy" if healthy else "service_completed_successfully"
            assert wait["condition"] == expected, f"{name} waits for {other}"


def test_the_store_keeps_what_it_is_given() -> None:
    command = SERVICES["redis"]["command"]
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "redis-data:/data" in SERVICES["redis"]["volumes"]


def test_the_containers_of_beckon_can_do_little() -> None:
    for name in ("topics", "beckon", "demo", "reader", "service"):
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_every_setting_in_compose_exists() -> None:
    defaults = yaml.safe_load((ROOT / "config" / "default.yaml").read_text())
    for variable in COMPOSE["x-beckon"]["environment"]:
        value: Any = defaults
        for key in variable.removeprefix("BECKON__").removesuffix("_FILE").lower().split("__"):
            assert key in value, variable
            value = value[key]


def test_every_password_comes_from_a_file_that_its_container_gets() -> None:
    assert {Path(secret["file"]).parts[0] for secret in COMPOSE["secrets"].values()} == {"secrets"}
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    said = 0
    for name, service in SERVICES.items():
        files = {f"/run/secrets/{secret}" for secret in service.get("secrets", [])}
        assert {file.rpartition("/")[2] for file in files} <= COMPOSE["secrets"].keys()
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN", variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert value in files, f"{name}: {variable}"
                said += 1
        used = set(re.findall(r"/run/secrets/[\w-]+", str(service)))
        assert used == files, f"{name} uses {used} and gets {files}"
    assert said == 5
    assert "requirepass" not in (ROOT / "docker-compose.yml").read_text()


def test_the_dockerfile_is_sound() -> None:
    run_tool(tool("hadolint"), "Dockerfile")
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["10001:10001"]
    installs = re.findall(r"pip install [^&\n]*", text)
    assert len(installs) == 4
    assert all("--require-hashes" in install or "--no-index" in install for install in installs), installs


def test_the_image_holds_every_package_and_nothing_else() -> None:
    packages = set(PACKAGES) - {"tests", "benchmarks"}
    copied = set(re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == packages
    assert allowed == packages | {"pyproject.toml", "requirements.lock"}


def test_prometheus_accepts_its_configuration(promtool: str) -> None:
    run_tool(promtool, "check", "config", "deploy/prometheus/prometheus.yml")
    configuration = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    targets = configuration["scrape_configs"][0]["static_configs"][0]["targets"]
    assert [target.split(":")[0] for target in targets] == ["beckon"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboard_queries_are_promql(path: Path, promtool: str, tmp_path: Path) -> None:
    """As recording rules, because this promtool checks queries only there."""
    rules = [
        {"record": f"panel:query_{number}", "expr": expression.replace("$__rate_interval", "1m")}
        for number, expression in enumerate(expressions(path))
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": path.stem, "rules": rules}]}))
    run_tool(promtool, "check", "rules", "--lint=none", file)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_ask_for_metrics_and_labels_that_exist(path: Path) -> None:
    labels_of = declared_labels()
    assert labels_of
    for query in expressions(path):
        names = {bare_name(name) for name in re.findall(r"\bbeckon_\w+", query)}
        assert names
        assert names <= labels_of.keys(), query
        grouped = {
            label for group in re.findall(r"by \(([^)]*)\)", query) for label in re.split(r",\s*", group)
        }
        filtered = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", query))
        for name in names:
            assert grouped | filtered <= labels_of[name] | {"le"}, query


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_says_what_it_shows_and_reads_the_provisioned_source(path: Path) -> None:
    provisioned = yaml.safe_load(
        (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yaml").read_text()
    )
    uids = {source["uid"] for source in provisioned["datasources"]}
    every = panels(path)
    assert len({panel["id"] for panel in every}) == len(every)
    for panel in every:
        if panel["type"] != "row":
            assert panel["description"], panel["title"]
            assert panel["datasource"]["uid"] in uids


def test_grafana_finds_its_dashboards_where_compose_puts_them() -> None:
    provisioned = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/beckon.yaml").read_text())
    places = {provider["options"]["path"] for provider in provisioned["providers"]}
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    assert places == {mounts["./deploy/grafana/dashboards"]}
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).name in {path.name for path in DASHBOARDS}


def panels(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["panels"]
    return found


def expressions(path: Path) -> Iterator[str]:
    for panel in panels(path):
        for target in panel.get("targets", []):
            yield target["expr"]


def declared_labels() -> dict[str, set[str]]:
    """The labels of every metric that connectors/metrics.py declares, by the metric's bare name."""
    return {
        bare_name(family.name): set(metric._labelnames)
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
        for family in metric.describe()
    }


def bare_name(sample: str) -> str:
    """A metric's name without what the client library adds to its samples."""
    return re.sub(r"_(total|bucket|sum|count)$", "", sample)
