"""Do logins, encryption and secrets in the settings make sense, and what of them should an operator know?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from config.layers import PREFIX, Branch, has_password, is_secret, leaves, variable_of
from config.problem import Problem
from config.settings import Http, Kafka, Privacy, Redis, Settings

TOKEN_CHARACTERS: Final = 16
KEY_CHARACTERS: Final = 32
_LOOPBACK: Final = ("localhost", "::1", "")


def secret_problems(tree: Branch) -> Iterator[Problem]:
    """Secrets come from the environment: a file is shared and committed, an option is seen by `ps`."""
    for path, leaf in leaves(tree):
        if not leaf.text or leaf.origin.startswith(PREFIX):
            continue
        way_out = f"set {variable_of(path)} or {variable_of(path)}_FILE in the environment"
        if is_secret(path):
            yield Problem(path, "a secret must not be written here", way_out, leaf.origin)
        elif path == "redis.url" and has_password(leaf.text):
            way_out = (
                f"leave it out of the address and set {variable_of('redis.password')} in the environment"
            )
            yield Problem(path, "a password must not be written here", way_out, leaf.origin)


def access_problems(settings: Settings) -> Iterator[Problem]:
    """What cannot be meant so."""
    yield from _redis_problems(settings.redis)
    token = settings.http.token
    if token and (len(token) < TOKEN_CHARACTERS or not token.isascii() or not token.isprintable()):
        message = f"is shorter than {TOKEN_CHARACTERS} characters, or has others than a header may have"
        yield Problem("http.token", message, "make one: openssl rand -hex 24")
    yield from _privacy_problems(settings.privacy)


def access_notes(settings: Settings) -> Iterator[str]:
    """What is allowed and leaves a door open."""
    if settings.http.enabled and not settings.http.on_loopback:
        yield _open_http(settings.http)
    if settings.privacy.key and not settings.privacy.pseudonymise:
        yield "privacy.key is there and not used: privacy.pseudonymise is false, ids of people are kept as they come"
    if "kafka" in (settings.source.kind, settings.sink.kind):
        yield from _kafka_notes(settings.kafka)
    url = settings.redis.url
    if settings.state.kind == "redis" and url.startswith("redis://") and not _is_local(url):
        yield (
            "redis.url redis://: whoever is on the way reads profiles and passwords; rediss:// encrypts "
            "(docs/security.md)"
        )


def _redis_problems(redis: Redis) -> Iterator[Problem]:
    tls = redis.tls
    chosen = [name for name in ("ca_location", "certificate_location", "key_location") if getattr(tls, name)]
    if chosen and not redis.url.startswith("rediss://"):
        message = "redis.url does not begin with rediss://, so nothing is encrypted and this is not used"
        yield Problem(f"redis.tls.{chosen[0]}", message, "write redis.url: rediss://host:port/0")
    for name, other in (("certificate_location", "key_location"), ("key_location", "certificate_location")):
        if getattr(tls, name) and not getattr(tls, other):
            yield Problem(f"redis.tls.{name}", f"needs redis.tls.{other}, too", "a certificate has a key")
    if redis.username and _user_in(redis.url):
        yield Problem("redis.username", "redis.url names a user, too", "keep one of them")


def _privacy_problems(privacy: Privacy) -> Iterator[Problem]:
    """A key that can be guessed hides nobody: whoever has pseudonyms tries all ids with it."""
    if privacy.pseudonymise and len(privacy.key) < KEY_CHARACTERS:
        message = f"has fewer than {KEY_CHARACTERS} characters" if privacy.key else "is missing"
        variable = variable_of("privacy.key")
        way_out = f"openssl rand -hex 32 makes one; set {variable} or {variable}_FILE in the environment"
        yield Problem("privacy.key", f"{message}, and privacy.pseudonymise needs it", way_out)


def _kafka_notes(kafka: Kafka) -> Iterator[str]:
    options = kafka.options
    protocol = str(options.get("security.protocol", "plaintext")).lower()
    local = all(_is_local(f"//{server.strip()}") for server in kafka.bootstrap_servers.split(","))
    if "ssl" not in protocol and not local:
        yield (
            f"kafka.options security.protocol {protocol}: whoever is on the way reads and writes events and "
            "triggers; SASL_SSL or SSL encrypts (docs/security.md)"
        )
    for family in ("sasl", "ssl"):  # librdkafka ignores in silence what does not belong to the protocol
        if family not in protocol and (found := _first(options, f"{family}.")):
            yield (
                f"kafka.options {found}: is not used with security.protocol {protocol}; write "
                "kafka.options.security.protocol: SASL_SSL (or SSL, without a login)"
            )
    for option, off in (
        ("enable.ssl.certificate.verification", "false"),
        ("ssl.endpoint.identification.algorithm", "none"),
    ):
        if "ssl" in protocol and str(options.get(option, "")).lower() == off:
            yield f"kafka.options {option} {off}: anybody can pass for the broker, and hear the password"


def _open_http(http: Http) -> str:
    if not http.token:
        return (
            f"http.bind {http.bind}: without a token nobody is told of a user over HTTP; set "
            f"{variable_of('http.token')}, or bind to 127.0.0.1. Metrics and health are open to whoever "
            f"reaches port {http.port}"
        )
    return (
        f"http.bind {http.bind}: the token and what it opens go unencrypted; put TLS in front of port {http.port}. "
        "Metrics and health are open to whoever reaches it"
    )


def _first(options: Mapping[str, Any], prefix: str) -> str | None:
    return next((name for name in sorted(options) if name.startswith(prefix)), None)


def _is_local(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host in _LOOPBACK or host.startswith("127.")


def _user_in(url: str) -> bool:
    try:
        return bool(urlsplit(url).username)
    except ValueError:
        return False
