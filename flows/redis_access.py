"""How is Redis reached, and as whom? By its address, login and certificates in the settings."""

from __future__ import annotations

import contextlib
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.settings import Settings, Tls
from state.ledger import LedgerError

STORE_SECONDS = 5.0  # a store or a network that is silent for longer has failed


def redis_client(settings: Settings, url: str) -> redis.Redis:
    """One that gives up soon: who asks tells the operator, and decides whether to wait."""
    client = redis.Redis.from_url(
        url,
        socket_timeout=STORE_SECONDS,
        socket_connect_timeout=STORE_SECONDS,
        driver_info=None,  # else each connection tells its library's name, which access lists must allow
        retry=Retry(NoBackoff(), 1),  # at once, as for a connection that was closed while idle
        **(_login(settings) if settings.redis.url else {}),  # the embedded one asks nobody
        **(_encryption(settings.redis.tls) if url.startswith("rediss://") else {}),
    )
    client.set_response_callback("INFO", read_info)
    return client


def read_info(said: bytes, **_: object) -> dict[str, int | float | str]:
    """Name by name, as redis-py's own reader; that one makes a function which holds itself, for each answer."""
    pairs = (line.partition(":") for line in said.decode().splitlines() if ":" in line)
    return {name: _number(value) for name, _, value in pairs}


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def _login(settings: Settings) -> dict[str, str]:
    login = {"username": settings.redis.username, "password": settings.redis.password}
    return {name: value for name, value in login.items() if value}


def _encryption(tls: Tls) -> dict[str, Any]:
    """What redis-py takes. The server's certificate is checked, and that it is of the host in the address."""
    files = {
        "ssl_ca_certs": ("ca_location", tls.ca_location),
        "ssl_certfile": ("certificate_location", tls.certificate_location),
        "ssl_keyfile": ("key_location", tls.key_location),
    }
    for setting, path in files.values():
        if path:
            _check_readable(f"redis.tls.{setting}", path)
    chosen = {option: path for option, (_, path) in files.items() if path}
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **chosen}


def _check_readable(setting: str, path: str) -> None:
    """In the setting's name: the library would say only that some file is not there."""
    try:
        with open(path, "rb"):  # noqa: PTH123 - only whether it opens
            pass
    except OSError as error:
        raise LedgerError(f"{setting} {path}: {error.strerror}") from error
