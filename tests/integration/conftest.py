"""Which servers with TLS, logins and rights do the tests get? One of each for the session, made when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.embedded_redis import EmbeddedRedisError
from tests.integration import secured_shop
from tests.integration.secured_shop import SecuredShop
from tests.servers.certificates import Authority
from tests.servers.kafka import KafkaUnavailableError
from tests.servers.ports import free_port
from tests.servers.secured_kafka import SecuredKafka
from tests.servers.secured_redis import SecuredRedis


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecuredKafka]:
    """With the topics of the secured shop, and the rights of its users."""
    try:
        server = SecuredKafka(tmp_path_factory.mktemp("kafka"), authority)
    except KafkaUnavailableError as error:
        pytest.skip(f"no Kafka broker: {error}")
    with server:
        for user, password in secured_shop.PASSWORDS.items():
            server.add_user(user, password)
        server.create_topics(dict.fromkeys(secured_shop.TOPICS.values(), secured_shop.PARTITIONS))
        server.grant("flow", secured_shop.FLOW_GRANTS)
        server.grant("service", secured_shop.SERVICE_GRANTS)
        yield server


@pytest.fixture(scope="session")
def secured_redis(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecuredRedis]:
    directory = tmp_path_factory.mktemp("redis") / "data"
    try:
        with SecuredRedis(directory, authority, secured_shop.APP) as server:
            yield server
    except EmbeddedRedisError as error:
        pytest.skip(f"no Redis with TLS: {error}")


@pytest.fixture
def secured(
    tmp_path: Path, authority: Authority, secured_kafka: SecuredKafka, secured_redis: SecuredRedis
) -> Iterator[SecuredShop]:
    port = free_port()
    with SecuredShop(tmp_path / "shop", authority, secured_kafka, secured_redis, port) as shop:
        yield shop
