"""What does a shop look like whose Kafka and Redis are encrypted, and which logs in with no more rights than needed?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from flows.assemble import wall_ms
from tests.integration.installation import CART_ONLY, INPUTS, Installation
from tests.integration.test_status import ask
from tests.servers.certificates import Authority
from tests.servers.secured_kafka import Grant, SecuredKafka
from tests.servers.secured_redis import SecuredRedis

APP: Final = "secured"
PARTITIONS: Final = 2
OUTPUTS: Final = ("triggers", "decisions", "dead_letters")
BOTH: Final = ("letters", "journal")
TOPICS: Final = {role: f"{APP}.{role}" for role in (*INPUTS, *BOTH, *OUTPUTS)}
PASSWORDS: Final = {user: f"kafka-{user}-hunter2" for user in ("flow", "service")}
TOKEN: Final = "http-token-hunter2-0123456789"  # noqa: S105 - of a server that lives for a minute

# The table of docs/security.md.
FLOW_GRANTS: Final[list[Grant]] = [
    *(("topic", TOPICS[role], "read") for role in (*INPUTS, *BOTH)),
    *(("topic", TOPICS[role], "write") for role in (*OUTPUTS, *BOTH)),
    ("group", f"{APP}*", "read"),
    ("transactional_id", f"{APP}.*", "write"),
]
SERVICE_GRANTS: Final[list[Grant]] = [("topic", TOPICS["customers"], "write")]


class SecuredShop(Installation):
    """Its settings say who logs in where; the passwords come from the environment or files."""

    def __init__(
        self, directory: Path, authority: Authority, kafka: SecuredKafka, redis: SecuredRedis, port: int
    ) -> None:
        super().__init__(directory, CART_ONLY)
        self.authority, self.kafka, self.redis, self.port = authority, kafka, redis, port
        self.app = APP
        self.change(
            {
                "app": APP,
                "source": "kafka",
                "kafka": {
                    "bootstrap_servers": kafka.servers,
                    "group_id": APP,
                    "partitions": PARTITIONS,
                    "topics": TOPICS,
                    "options": kafka.by_login("flow"),
                },
                "redis": {
                    "url": redis.url,
                    "username": "flow",
                    "tls": {"ca_location": str(authority.certificate)},
                },
                "http": {"enabled": True, "port": port, "bind": "0.0.0.0"},  # noqa: S104 - with a token
                "engine": {"heartbeat": "500ms"},
            }
        )

    def secrets(self, user: str) -> dict[str, str]:
        """The environment of a process that is this user: one password in it, the other in a file that it names."""
        file = self.directory / f"{user}.password"
        file.write_text(PASSWORDS.get(user, "none") + "\n")
        return {
            "BECKON__KAFKA__OPTIONS__SASL_USERNAME": user,
            "BECKON__KAFKA__OPTIONS__SASL_PASSWORD_FILE": str(file),
            "BECKON__REDIS__USERNAME": user,
            "BECKON__REDIS__PASSWORD": self.redis.password_of(user),
            "BECKON__HTTP__TOKEN": TOKEN,
        }

    def ended(self, environ: Mapping[str, str], *arguments: str, seconds: float = 60.0) -> tuple[int, str]:
        """(exit code, what it said) of a command run with this environment."""
        process = self.start(*arguments, environ=environ)
        return process.wait(seconds), process.said()

    def as_user(self, user: str, *commands: str) -> list[str]:
        """All at once; what each has said."""
        started = [self.start(*command.split(), environ=self.secrets(user)) for command in commands]
        for process in started:
            assert process.wait(60) == 0, process.said()
        return [process.said() for process in started]

    def tell(self, role: str, events: Iterable[dict[str, Any]]) -> None:
        """As the shop's own programs do, which have rights of their own."""
        producer = Producer({**self.kafka.admin_options, "partitioner": "murmur2_random", "log_level": 0})
        for event in events:
            producer.produce(TOPICS[role], msgspec.json.encode(event), event["user_id"])
        assert producer.flush(30) == 0

    def subjects(self) -> set[str]:
        """To whom something was sent."""
        options = {"group.id": "marketing", "enable.partition.eof": True, "isolation.level": "read_committed"}
        consumer = Consumer({**self.kafka.admin_options, **options, "log_level": 0})
        found, ended = set[str](), 0
        try:
            consumer.assign([TopicPartition(TOPICS["triggers"], part, 0) for part in range(PARTITIONS)])
            while ended < PARTITIONS:
                (message,) = consumer.consume(1, 30)
                if message.error() is None:
                    found.add(json.loads(message.value() or b"")["subject"])
                else:
                    ended += 1
        finally:
            consumer.close()
        return found

    def asked(self, path: str, token: str = TOKEN) -> tuple[int, bytes]:
        return ask(self.port, path, token)

    def assert_no_secret(self, *more: bytes) -> None:
        """In anything that any process of it has said."""
        said = [path.read_bytes() for path in self.directory.glob("process-*.log")]
        assert sum(map(len, said)) > 1000
        secrets = [*PASSWORDS.values(), TOKEN, *map(self.redis.password_of, ("flow", "reader", "service"))]
        for secret in (*secrets, "hunter2"):
            assert not any(secret.encode() in text for text in (*said, *more)), secret


def cart_left(user: str, hours_ago: int) -> list[dict[str, Any]]:
    """Two events, two hours apart: when the second comes, the cart of the first has been left."""
    began = wall_ms() - hours_ago * 3_600_000
    event = {"type": "cart_item_added", "user_id": user, "sku": "k1", "quantity": 1, "price": 100}
    return [
        {**event, "event_id": f"{user}-{number}", "ts": began + number * 7_200_000} for number in range(2)
    ]
