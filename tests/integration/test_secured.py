"""Does everything work with encryption, logins and the least rights?

Real servers as docs/security.md sets them up: Kafka with SASL_SSL, SCRAM and access lists, Redis with TLS and the users
of deploy/redis/users.acl; the certificates are made here. When something is wrong: test_secured_problems.py.
"""

from __future__ import annotations

import json
from typing import Any

from connectors.journal import Journal
from tests.integration.installation import eventually
from tests.integration.secured_shop import APP, PASSWORDS, TOKEN, TOPICS, SecuredShop, cart_left
from tests.servers.certificates import Identity


def test_it_works_with_certificates_in_place_of_logins(secured: SecuredShop) -> None:
    ours = secured.authority.issue("flow")
    by_certificate(secured, ours)
    secrets = {"BECKON__REDIS__PASSWORD": secured.redis.password_of("flow")}
    code, said = secured.ended(secrets, "check")
    assert code == 0, said
    secured.tell("clickstream", cart_left("u3", 9))
    code, said = secured.ended(secrets, "run", "--until-caught-up")
    assert code == 0, said
    assert "u3" in secured.subjects()


def by_certificate(secured: SecuredShop, ours: Identity) -> None:
    options = secured.kafka.by_certificate(ours)
    del secured.settings["kafka"]["options"]
    files = {"certificate_location": str(ours.certificate), "key_location": str(ours.key)}
    secured.change(
        {
            "kafka": {"bootstrap_servers": secured.kafka.mutual_servers, "options": options},
            "redis": {"tls": files},
        }
    )


def of_rights(examined: str) -> list[str]:
    """Problems that doctor names; that a busy machine takes long to answer is no matter of rights."""
    problems = [line for line in examined.splitlines() if line.startswith("problem")]
    return [line for line in problems if "one question took" not in line]


def test_it_works_with_encryption_logins_and_the_least_rights(secured: SecuredShop) -> None:
    with secured.redis.admin() as admin:
        admin.acl_log_reset()
    (checked,) = secured.as_user("flow", "check --settings")
    assert "all that flow needs in Redis" in checked
    assert "all that it needs at the brokers" in checked
    service = secured.start("run", environ=secured.secrets("flow"))
    secured.tell("clickstream", [*cart_left("u1", 4), *cart_left("u2", 4)])
    eventually(lambda: {"u1", "u2"} <= secured.subjects(), what="the triggers")

    # doctor asks one thing more of the brokers than run
    code, examined = secured.ended(secured.secrets("flow"), "doctor")
    assert code == 1
    assert len(of_rights(examined)) == 1, examined
    assert f"--operation DescribeConfigs --topic {TOPICS['clickstream']}" in examined
    secured.kafka.grant("flow", [("topic", f"{APP}.*", "describe_configs")])
    code, examined = secured.ended(secured.secrets("flow"), "doctor")
    assert of_rights(examined) == [], examined
    assert (code == 0) == ("problem  " not in examined)

    # who reads
    profile, checked = secured.as_user("reader", "profile u1 --json", "check --as reader")
    assert json.loads(profile)["cart"]["lines"]
    assert "all that reader needs" in checked
    assert secured.asked("/healthz", token="")[0] == 200
    assert [secured.asked("/api/users/u1", token)[0] for token in ("", "wrong", TOKEN)] == [401, 401, 200]

    # customer service
    explained, checked = secured.as_user("service", "explain u1", "check --as service")
    assert "cart_abandoned" in explained
    assert "rights: all that it needs" in checked
    secured.as_user("service", "erase u1 --yes")
    eventually(lambda: secured.asked("/api/users/u1")[0] == 404, what="the erasure")
    assert secured.asked("/api/users/u2")[0] == 200

    # what else an operator types: whether it may or not, what it says is looked through for secrets below
    for command in ("check --settings", "topics create", "dlq list", "dlq redrive --dry-run"):
        assert secured.ended(secured.secrets("flow"), *command.split())[1], command

    # nothing was asked for that is not granted, not even what nobody would miss
    with secured.redis.admin() as admin:
        assert admin.acl_log() == []
    noted = Journal(TOPICS["journal"], secured.kafka.servers, APP, 1000, flow_options(secured)).scan(
        {0: -1, 1: -1}
    )
    assert sum(map(len, noted.values())) >= 2, "what a scan after a loss of state would read"
    bodies = [secured.asked(path)[1] for path in ("/metrics", "/readyz", "/healthz", "/openapi.json")]
    service.terminate()
    assert service.wait(30) == 0, service.said()
    secured.assert_no_secret(*bodies)


def flow_options(secured: SecuredShop) -> dict[str, Any]:
    return {**secured.kafka.by_login("flow"), "sasl.password": PASSWORDS["flow"]}
