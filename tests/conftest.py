"""Which real servers do tests get, and what is said when one cannot be had?

A test asks for a server by a fixture's name (`kafka`, `redis_url`) and is thereby marked `integration`. Where
a server cannot be had the test is skipped, and the last lines say in words what did not run and why; with
BECKON_REQUIRE_ALL=1 every skip is a failure, except for absent real data: the project must pass without it.
"""

import contextlib
import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from connectors.embedded_redis import EmbeddedRedisError
from tests.real_data.found import ABSENT
from tests.servers.kafka import KafkaServer, KafkaUnavailableError
from tests.servers.redis import RedisServer

_REQUIRE_ALL = os.environ.get("BECKON_REQUIRE_ALL") == "1"
_SERVER_FIXTURES = frozenset(
    {"kafka", "own_kafka", "own_redis", "redis_server", "redis_url", "secured_kafka", "secured_redis"}
)


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """One real broker for the whole session; a test creates topics under names of its own."""
    with _kafka_or_skip() as server:
        yield server


@pytest.fixture
def own_kafka() -> Iterator[KafkaServer]:
    """A broker that the test may kill."""
    with _kafka_or_skip() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One real server for the whole session. A test that breaks it must start it again."""
    try:
        server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    except EmbeddedRedisError as error:
        pytest.skip(f"no Redis: {error}")
    yield server
    server.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A store that the test may kill."""
    try:
        server = RedisServer(tmp_path / "redis").start()
    except EmbeddedRedisError as error:
        pytest.skip(f"no Redis: {error}")
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of an empty store."""
    redis_server.flush()
    return redis_server.url


@contextlib.contextmanager
def _kafka_or_skip() -> Iterator[KafkaServer]:
    try:
        server = KafkaServer().start()
    except KafkaUnavailableError as error:
        pytest.skip(f"no Kafka broker: {error}")
    try:
        yield server
    finally:
        server.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _SERVER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    required = _REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail")
    if required and not _reason(report).startswith(ABSENT):
        report.outcome = "failed"
        report.longrepr = f"BECKON_REQUIRE_ALL=1, but: {_reason(report)}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = Counter(_reason(report) for report in terminalreporter.getreports("skipped"))
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(
            f"{count} test{'s' if count > 1 else ''} did not run: {reason}", yellow=True
        )


def _reason(report: pytest.TestReport) -> str:
    """pytest keeps a skip as (file, line, "Skipped: reason")."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def pytest_report_header() -> str:
    return f"beckon: skips are {'failures (BECKON_REQUIRE_ALL=1)' if _REQUIRE_ALL else 'allowed and listed'}"
