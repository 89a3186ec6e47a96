"""In which arm of an experiment is a user? By a stable hash: no state, the same on every machine, for ever."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from xxhash import xxh3_64_intdigest

Percent = Annotated[float, Meta(ge=0, le=100)]

_SPAN = 1 << 64


def share_of(experiment: str, user_id: str) -> float:
    """Where the user stands in this experiment, evenly spread over 0 to 100 (percent).

    The name goes before the id with a NUL between, so that experiments are independent of each other.
    """
    return xxh3_64_intdigest(f"{experiment}\0{user_id}".encode()) / _SPAN * 100
