"""Redis did not do what it was asked: may waiting mend it, or must somebody?"""

from __future__ import annotations

import redis

from state.ledger import LedgerError

_WAIT_MENDS = frozenset(
    {"LOADING", "READONLY", "OOM", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "NOREPLICAS"}
    | {"NOSCRIPT"}  # a restarted Redis has forgotten our scripts: opening the shards again brings them
)


class StoreUnavailable(Exception):
    """Redis did not answer, or will not take writes now (`kind`: its word for why); what was sent may have happened."""

    kind = "unavailable"


class Guard:
    """Turns what redis-py raises into StoreUnavailable where waiting may mend it, LedgerError where not."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError):
            raise StoreUnavailable(f"Redis: {error}") from error
        if isinstance(error, redis.ResponseError):
            # redis-py cuts the code off where it has a class for it.
            code = error.status_code or str(error).partition(" ")[0]
            text = str(error) if str(error).startswith(code) else f"{code} {error}"
            if code in _WAIT_MENDS:
                away = StoreUnavailable(f"Redis: {text}")
                away.kind = code.lower()
                raise away from error
            raise LedgerError(f"Redis: {text}") from error
