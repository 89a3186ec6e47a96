"""Who may ask over HTTP about people? Whoever has the token; without one, programs of this machine alone."""

from __future__ import annotations

import hmac
import ipaddress
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

_SCHEME: Final = "bearer"


class Refusal(Struct, frozen=True):
    """`challenge`: the WWW-Authenticate of a 401 (RFC 9110, RFC 6750)."""

    status: HTTPStatus
    why: str
    challenge: str = ""


_NO_TOKEN: Final = Refusal(
    HTTPStatus.UNAUTHORIZED, "send the header Authorization: Bearer <token>", 'Bearer realm="beckon"'
)
_WRONG_TOKEN: Final = Refusal(
    HTTPStatus.UNAUTHORIZED, "this is not the token", 'Bearer realm="beckon", error="invalid_token"'
)
_CLOSED: Final = Refusal(
    HTTPStatus.FORBIDDEN, "nobody may ask here: no token is set, and the port is open to other machines"
)
_OTHER_NAME: Final = Refusal(
    HTTPStatus.FORBIDDEN, "asked under another name than localhost: set a token, or ask localhost"
)


class Door:
    """`token` empty: none is set, and only a port that is `on_loopback` answers."""

    def __init__(self, token: str, *, on_loopback: bool) -> None:
        self._token = token.encode()
        self._on_loopback = on_loopback

    def refusal(self, authorization: str, host: str) -> Refusal | None:
        """Why not, by the headers Authorization and Host; None: come in."""
        if self._token:
            scheme, _, given = authorization.partition(" ")
            if scheme.lower() != _SCHEME:
                return _NO_TOKEN
            # In a time that does not tell how much of it was right.
            same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), self._token)
            return None if same else _WRONG_TOKEN
        if not self._on_loopback:
            return _CLOSED
        # A web page may have given its own name our address; its visitors' browsers then ask us (DNS rebinding).
        return None if _is_local(host) else _OTHER_NAME


def _is_local(host: str) -> bool:
    """An address, or the name that only this machine has; programs that send no Host are no browsers."""
    if not host:
        return True
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ipaddress.ip_address(name))
    except ValueError:
        return False
