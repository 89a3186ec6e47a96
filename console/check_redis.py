"""Does Redis answer, may we do there what we need, and does it keep what it is given?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import redis
from redis.exceptions import AuthenticationError

from config.layers import variable_of
from config.load import redacted_url
from config.settings import Settings
from console.check import Finding, User
from flows.redis_access import redis_client
from state.ledger import LedgerError
from state.redis_rights import Task, missing
from state.redis_safety import Danger, dangers

_SECRET: Final = variable_of("redis.password")
_TASKS: Final[dict[User, tuple[Task, ...]]] = {
    "flow": ("run", "watch"),
    "reader": ("read",),
    "service": ("read",),
}

# What TLS and redis-py say, and what an operator can do about it. The first that is found in the text counts.
_MENDS: Final = (
    (
        "mismatch",
        "the certificate is another server's: write its name into redis.url as the certificate has it",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "redis.tls.ca_location: the certificate of the authority that has signed the server's",
    ),
    (
        "ALERT_CERTIFICATE_REQUIRED",
        "it asks for a certificate of ours: redis.tls.certificate_location and key_location",
    ),
    ("ALERT_UNKNOWN_CA", "redis.tls.certificate_location: one by an authority that the server believes"),
)
_START: Final = "start it: redis-server --appendonly yes --maxmemory-policy noeviction; or set redis.url"


def findings(settings: Settings, user: User) -> Iterator[Finding]:
    """As whom the settings log in, for what `user` has to do."""
    address = redacted_url(settings.redis.url)
    try:
        with redis_client(settings, settings.redis.url) as client:
            denied = [each for task in _TASKS[user] for each in missing(client, settings.app, task)]
            version, found = "", list[Danger]()
            if user == "flow" and not any("INFO" in each for each in denied):
                found = list(dangers(client))
                version = f", version {client.info('server').get('redis_version', 'not told')}"
    except LedgerError as error:  # a certificate that is not there, or no word on what it keeps
        yield Finding("redis", False, f"{address}: {error}")
        return
    except AuthenticationError as error:
        name = settings.redis.username or "default"
        mend = f"redis.username, and its password in {_SECRET} or {_SECRET}_FILE"
        yield Finding("redis", False, f"{address} refuses the login of user {name}: {error}", mend)
        return
    except (redis.RedisError, OSError, ValueError) as error:
        yield Finding("redis", False, f"{address} does not answer: {error}", _mend(settings, str(error)))
        return
    yield Finding("redis", True, f"{address}{version}")
    for problem in denied:
        text, _, mend = problem.partition(" Mend: ")
        yield Finding("rights", False, text, f"{mend} (deploy/redis/users.acl has all of it)")
    if not denied:
        yield Finding("rights", True, f"all that {user} needs in Redis")
    for danger in found:
        if danger.risk in settings.redis.accepted_risks:
            yield Finding("note", True, f"{danger.text}; accepted by redis.accepted_risks")
        else:
            yield Finding("redis", False, danger.text, danger.mend)


def _mend(settings: Settings, text: str) -> str:
    for sign, mend in _MENDS:
        if sign in text:
            return mend
    if settings.redis.url.startswith("rediss://"):
        return f"{_START}; does this port speak TLS? If not: redis://"
    return f"{_START}; does this port speak TLS alone? Then: rediss://"
