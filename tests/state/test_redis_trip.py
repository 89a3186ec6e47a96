"""Is what is asked in one trip answered in order, and an error of one no answer to another?"""

from __future__ import annotations

import pytest
import redis

from state.ledger import LedgerError
from state.redis_trip import ask


def test_after_an_error_the_next_trip_has_answers_of_its_own(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, max_connections=1) as client:
        client.rpush("list", "x")
        client.set("text", "one")
        with pytest.raises(LedgerError, match="WRONGTYPE"):
            ask(client, [("GET", "text"), ("GET", "list"), ("GET", "text"), ("GET", "text")])
        assert ask(client, [("LLEN", "list"), ("GET", "nothing"), ("MGET", "text", "nothing")]) == [
            1,
            None,
            [b"one", None],
        ]
        assert ask(client, []) == []
