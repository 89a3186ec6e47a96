"""Are logins, encryption and secrets that cannot be meant so refused, and open doors named?"""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import ConfigError, describe, load, notes_of
from config.settings import Http
from tests.config.test_problems import assert_told, problems

TOKEN = "0123456789abcdef"  # noqa: S105 - no secret of anybody
ELSEWHERE = ("source=kafka", "kafka.bootstrap_servers=broker.shop:9092", "kafka.replication_factor=3")


def notes(*overrides: str, **environ: str) -> list[str]:
    return list(notes_of(load(None, environ, overrides)))


@pytest.mark.parametrize(
    ("overrides", "path", "message"),
    [
        (
            "redis={url: 'redis://store:6379', tls: {ca_location: ca.pem}}",
            "redis.tls.ca_location",
            "nothing is encrypted",
        ),
        ("redis={tls: {ca_location: ca.pem}}", "redis.tls.ca_location", "nothing is encrypted"),
        (
            "redis={url: 'rediss://store:6379', tls: {certificate_location: me.pem}}",
            "redis.tls.certificate_location",
            "needs redis.tls.key_location",
        ),
        ("redis={url: 'redis://flow@store:6379', username: flow}", "redis.username", "names a user, too"),
    ],
)
def test_what_cannot_be_meant_so_is_refused(overrides: str, path: str, message: str) -> None:
    assert_told(overrides, path, message, "")


@pytest.mark.parametrize("token", ["hunter2", "with a line\nbreak in it", "nicht-nur-ascii-ä-zeichen"])
def test_a_token_that_cannot_protect_is_refused_and_not_repeated(token: str) -> None:
    (problem,) = problems(environ={"BECKON__HTTP__TOKEN": token})

    assert problem.path == "http.token"
    assert token not in str(problem)


def test_a_token_is_hidden() -> None:
    settings = load(None, {"BECKON__HTTP__TOKEN": TOKEN}, ())

    assert settings.http.token == TOKEN
    assert TOKEN not in describe(settings)
    assert problems(f"http.token={TOKEN}")[0].message == "a secret must not be written here"


KEY = "0123456789abcdef" * 2  # as little a secret


@pytest.mark.parametrize(
    ("environ", "message"),
    [({}, "is missing"), ({"BECKON__PRIVACY__KEY": KEY[:-1]}, "has fewer than 32 characters")],
)
def test_pseudonyms_without_a_key_that_protects_are_refused(environ: dict[str, str], message: str) -> None:
    (problem,) = problems("privacy.pseudonymise=true", environ=environ)

    assert problem.path == "privacy.key"
    assert message in str(problem)
    assert "BECKON__PRIVACY__KEY_FILE" in str(problem)
    assert KEY[:-1] not in str(problem)


def test_the_key_of_pseudonyms_is_hidden_and_never_written_down(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    environ = {"BECKON__PRIVACY__KEY_FILE": str(tmp_path / "key")}
    settings = load(None, environ, ("privacy.pseudonymise=true",))

    assert settings.privacy.key == KEY
    assert KEY not in describe(settings)
    assert problems(f"privacy.key={KEY}")[0].message == "a secret must not be written here"
    (tmp_path / "shop.yaml").write_text(f"privacy: {{pseudonymise: true, key: {KEY}}}\n")
    with pytest.raises(ConfigError, match="a secret must not be written here") as refused:
        load(tmp_path / "shop.yaml", {}, ())
    assert KEY not in str(refused.value)


def test_a_key_that_is_not_used_is_noted() -> None:
    assert any("privacy.key is there and not used" in note for note in notes(BECKON__PRIVACY__KEY=KEY))
    assert not notes("privacy.pseudonymise=true", BECKON__PRIVACY__KEY=KEY)


@pytest.mark.parametrize("query", ["password", "ssl_password"])
def test_a_password_in_the_query_of_an_address_is_refused_and_hidden(query: str) -> None:
    address = f"rediss://store:6379/0?{query}=hunter2&ssl_check_hostname=true"
    assert problems(f"redis.url={address}")[0].path == "redis.url"

    assert "hunter2" not in describe(load(None, {"BECKON__REDIS__URL": address}, ()))


@pytest.mark.parametrize(
    ("bind", "alone"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
    ],
)
def test_loopback_is_known(bind: str, alone: bool) -> None:
    assert Http(enabled=True, bind=bind, port=1, token="").on_loopback is alone


def test_a_port_open_to_others_is_noted_with_and_without_a_token() -> None:
    (without,) = notes("http.bind=0.0.0.0")
    (having,) = notes("http.bind=0.0.0.0", BECKON__HTTP__TOKEN=TOKEN)

    assert "nobody is told of a user" in without
    assert "BECKON__HTTP__TOKEN" in without
    assert "unencrypted" in having
    assert TOKEN not in having
    assert not notes("http.bind=0.0.0.0", "http.enabled=false")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("{}", ["security.protocol plaintext"]),
        ("{security.protocol: SASL_PLAINTEXT}", ["security.protocol sasl_plaintext"]),
        ("{security.protocol: SASL_SSL}", []),
        ("{security.protocol: ssl, sasl.username: flow}", ["sasl.username"]),
        ("{ssl.ca.location: ca.pem}", ["security.protocol plaintext", "ssl.ca.location"]),
        (
            "{security.protocol: SSL, ssl.endpoint.identification.algorithm: none}",
            ["ssl.endpoint.identification.algorithm none"],
        ),
        (
            "{security.protocol: SSL, enable.ssl.certificate.verification: 'false'}",
            ["enable.ssl.certificate.verification false"],
        ),
    ],
)
def test_brokers_that_anybody_may_overhear_or_play_are_noted(options: str, words: list[str]) -> None:
    found = notes(*ELSEWHERE, f"kafka.options={options}")

    assert [note.removeprefix("kafka.options ").partition(":")[0] for note in found] == words


def test_a_redis_that_anybody_may_overhear_is_noted() -> None:
    assert notes("redis.url=redis://store:6379")[0].startswith("redis.url redis://")
    assert not notes("redis.url=rediss://store:6379")
    assert not notes("redis.url=redis://127.0.0.1:6379")
