"""Is what is wrong with encryption, logins and rights told in words, with what helps, and without the secret?"""

from __future__ import annotations

import pytest

from tests.integration.secured_shop import APP, SERVICE_GRANTS, TOPICS, SecuredShop
from tests.servers.certificates import Authority
from tests.servers.secured_kafka import Grant

Environ = dict[str, str]
CASES = ("password", "authority", "file", "encryption")
SAID: dict[str, tuple[str, ...]] = {
    "password": (
        "refuses the login of user flow: invalid username-password pair",
        "mend: redis.username, and its password in BECKON__REDIS__PASSWORD or BECKON__REDIS__PASSWORD_FILE",
        "invalid credentials with SASL mechanism SCRAM-SHA-512",
        "BECKON__KAFKA__OPTIONS__SASL_PASSWORD or BECKON__KAFKA__OPTIONS__SASL_PASSWORD_FILE",
    ),
    "authority": (
        "certificate verify failed",
        "mend: redis.tls.ca_location",
        "mend: kafka.options ssl.ca.location",
    ),
    "file": (
        "redis.tls.ca_location no/such/file.pem: No such file or directory",
        "kafka.options ssl.ca.location: there is no no/such/file.pem",
    ),
    "encryption": (
        "does this port speak TLS alone? Then: rediss://",
        "is this the port for SASL_PLAINTEXT?",
    ),
}


@pytest.fixture
def wrong(secured: SecuredShop) -> dict[str, Environ]:
    """The environment of a flow about which one thing is wrong, at both servers."""
    good, absent = secured.secrets("flow"), "no/such/file.pem"
    stranger = str(Authority(secured.directory / "stranger", "stranger").certificate)
    password = {**good, "BECKON__REDIS__PASSWORD": "redis-hunter2"}
    password["BECKON__KAFKA__OPTIONS__SASL_PASSWORD"] = "kafka-hunter2"  # noqa: S105 - a wrong one
    del password["BECKON__KAFKA__OPTIONS__SASL_PASSWORD_FILE"]
    authorities = ("BECKON__KAFKA__OPTIONS__SSL_CA_LOCATION", "BECKON__REDIS__TLS__CA_LOCATION")
    plain = {
        "BECKON__REDIS__URL": secured.redis.url.replace("rediss", "redis"),
        "BECKON__REDIS__TLS__CA_LOCATION": "",
        "BECKON__KAFKA__OPTIONS__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    }
    return {
        "password": password,
        "authority": good | dict.fromkeys(authorities, stranger),
        "file": good | dict.fromkeys(authorities, absent),
        "encryption": good | plain,
    }


def test_what_is_wrong_is_told_in_words_without_the_secret(
    secured: SecuredShop, wrong: dict[str, Environ]
) -> None:
    only_kafka = {**wrong["password"], "BECKON__REDIS__PASSWORD": secured.redis.password_of("flow")}
    started = [(SAID[case], secured.start("check", environ=wrong[case])) for case in CASES]
    started += [
        (("invalid username-password pair",), secured.start("run", environ=wrong["password"])),
        (("invalid credentials",), secured.start("run", environ=only_kafka)),
        (("certificate verify failed",), secured.start("profile", "u1", environ=wrong["authority"])),
    ]
    for words, process in started:
        assert process.wait(90) == 1, process.said()
        for each in words:
            assert each in process.said()
        assert "Traceback" not in process.said()
    secured.assert_no_secret()


def test_a_missing_right_is_told_with_what_grants_it(secured: SecuredShop) -> None:
    revoked: list[Grant] = [
        ("topic", TOPICS["orders"], "read"),
        ("topic", TOPICS["triggers"], "write"),
        ("group", f"{APP}*", "read"),
        ("transactional_id", f"{APP}.*", "write"),
    ]
    secrets = secured.secrets("flow")
    with secured.redis.admin() as admin:
        admin.execute_command("ACL", "SETUSER", "flow", "-zadd", "-scan")
        for grant in revoked:
            secured.kafka.revoke("flow", grant)
        try:
            code, said = secured.ended(secrets, "check")
            run_code, run_said = secured.ended(secrets, "run")
        finally:
            admin.execute_command("ACL", "SETUSER", "flow", "+zadd", "+scan")
            secured.kafka.grant("flow", revoked)
    assert (code, run_code) == (1, 1)
    add = "kafka-acls.sh --add --allow-principal 'User:flow' --operation"
    both = (
        "Redis lets user flow not run ZADD.",
        "ACL SETUSER flow +zadd",
        f"Kafka lets user flow not read {TOPICS['orders']}.",
        f"{add} Read --topic {TOPICS['orders']}",
        f"Kafka lets user flow not write {TOPICS['triggers']}.",
        f"{add} Write --topic {TOPICS['triggers']}",
        f"Kafka lets user flow not read as group {APP}.",
    )
    for words in both:
        assert words in said, said
        assert words in run_said, run_said
    for words in ("not run SCAN", f"{add} Write --transactional-id {APP}. --resource-pattern-type prefixed"):
        assert words in said
    assert "do not exist" not in said + run_said
    started = [secured.start("check", environ=secured.secrets(user)) for user in ("reader", "flow")]
    assert [process.wait(60) for process in started] == [1, 0], started[1].said()
    assert "Redis lets user reader not run" in started[0].said()


def test_an_erasure_that_the_brokers_refuse_is_not_called_one(secured: SecuredShop) -> None:
    secured.kafka.revoke("service", SERVICE_GRANTS[0])
    try:
        code, said = secured.ended(secured.secrets("service"), "erase", "u2", "--yes")
    finally:
        secured.kafka.grant("service", SERVICE_GRANTS)
    assert code == 1
    assert "TOPIC_AUTHORIZATION_FAILED" in said
    assert "nothing was erased" in said
