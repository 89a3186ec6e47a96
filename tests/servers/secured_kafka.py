"""Where do tests get a Kafka as a careful operator sets it up? Encrypted, with logins, and rights for each of them.

One broker with two doors: `servers` asks for a login (SASL_SSL, SCRAM-SHA-512), `mutual_servers` for a certificate.
Nobody but `admin` may do anything that was not granted. Both doors know a user by the same name.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from tests.servers import kafka, kafka_local
from tests.servers.certificates import Authority, Identity
from tests.servers.kafka import KafkaUnavailableError
from tests.servers.ports import free_port

_READY_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 30.0

Grant = tuple[str, str, str]
"""(kind: topic, group or transactional_id; name, with a star at its end for a prefix; operation)."""


class SecuredKafka:
    """Local Java alone: a container would need the certificates inside."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        if (reason := kafka_local.unavailable_reason()) is not None:
            raise KafkaUnavailableError(reason)
        try:
            jars = kafka_local.libraries()
        except kafka_local.DownloadError as error:
            raise KafkaUnavailableError(str(error)) from error
        self._authority = authority
        self._admin_identity = authority.issue("admin")
        login, mutual, controller = free_port(), free_port(), free_port()
        self.servers, self.mutual_servers = f"127.0.0.1:{login}", f"127.0.0.1:{mutual}"
        over = _properties(authority, authority.issue("broker"), login, mutual, controller)
        directory = Path(tempfile.mkdtemp(prefix="kafka-", dir=directory))
        self._broker = kafka_local.LocalBroker(login, directory, jars, long_running=False, over=over)

    def __enter__(self) -> Self:
        self._broker.start()
        try:
            kafka.wait_until_ready(self._admin(), self._broker.failure)
        except BaseException:
            self._broker.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._broker.kill()
        self._broker.remove()

    @property
    def admin_options(self) -> dict[str, Any]:
        """For a client that may do everything."""
        return {"bootstrap.servers": self.mutual_servers, **self.by_certificate(self._admin_identity)}

    def by_certificate(self, identity: Identity) -> dict[str, Any]:
        """Options of librdkafka for the door that asks for a certificate."""
        return {
            "security.protocol": "SSL",
            "ssl.ca.location": str(self._authority.certificate),
            "ssl.certificate.location": str(identity.certificate),
            "ssl.key.location": str(identity.key),
        }

    def by_login(self, user: str) -> dict[str, Any]:
        """Options for the door that asks for a login, but for the password."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "ssl.ca.location": str(self._authority.certificate),
        }

    def add_user(self, name: str, password: str) -> None:
        how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        admin = self._admin()
        changes: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(name, how, password.encode())
        ]
        for done in admin.alter_user_scram_credentials(changes).values():
            done.result(_ANSWER_SECONDS)

    def grant(self, user: str, grants: Iterable[Grant]) -> None:
        admin = self._admin()
        for done in admin.create_acls([AclBinding(*_binding(user, each)) for each in grants]).values():
            done.result(_ANSWER_SECONDS)

    def revoke(self, user: str, grant: Grant) -> None:
        admin = self._admin()
        for done in admin.delete_acls([AclBindingFilter(*_binding(user, grant))]).values():
            assert len(done.result(_ANSWER_SECONDS)) == 1

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        kafka.create_topics(self._admin(), partitions)

    def _admin(self) -> AdminClient:
        return AdminClient({**self.admin_options, "log_level": 0})


def _properties(
    authority: Authority, broker: Identity, login: int, mutual: int, controller: int
) -> dict[str, str]:
    doors = f"LOGIN://127.0.0.1:{login},MUTUAL://127.0.0.1:{mutual}"
    return {
        "listeners": f"{doors},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": doors,
        "listener.security.protocol.map": "LOGIN:SASL_SSL,MUTUAL:SSL,CONTROLLER:SSL",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
        "inter.broker.listener.name": "MUTUAL",
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.controller.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(broker.both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
        "ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.login.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:broker;User:admin",
    }


def _binding(user: str, grant: Grant) -> tuple[Any, ...]:
    kind, name, operation = grant
    prefix = name.endswith("*")
    return (
        ResourceType[kind.upper()],
        name.removesuffix("*"),
        ResourcePatternType.PREFIXED if prefix else ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[operation.upper()],
        AclPermissionType.ALLOW,
    )
