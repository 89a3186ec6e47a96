"""Whose state is it? Shards and layout, of the whole and of a shard, on every ledger."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import redis

from state.ledger import Commit, Ledger, LedgerError, NewerLayout, Store
from tests.contract.conftest import redis_ledger
from tests.contract.test_ledger import commit_one


def test_the_shape_is_fixed_at_first_start(ledger: Ledger) -> None:
    ledger.prepare(4, 1)
    with pytest.raises(LedgerError, match="shards"):
        ledger.prepare(8, 1)


def test_an_older_layout_is_raised_and_a_newer_one_refused(ledger: Store) -> None:
    ledger.prepare(4, 3)
    assert ledger.recorded() == {"shards": "4", "layout": "3"}
    with pytest.raises(
        LedgerError, match=r"has layout 3, but .* up to 2: a newer release runs on this state"
    ):
        ledger.prepare(4, 2)
    with pytest.raises(LedgerError, match="shards"):
        ledger.prepare(8, 4)
    assert ledger.recorded() == {"shards": "4", "layout": "3"}


def test_a_shard_that_a_newer_release_has_owned_is_not_opened_by_an_older_one(ledger: Ledger) -> None:
    """Both run side by side: the older one has begun before the newer one came."""
    version = ledger.open(0, "old").version
    ledger.open(1, "old")
    older = copy.copy(ledger)  # another process at the same store
    ledger.prepare(4, 2)
    ledger.open(0, "new")
    assert not commit_one(older, 0, Commit("old", version))
    with pytest.raises(NewerLayout, match=r"shard 0 has layout 2, but .* up to 1"):
        older.open(0, "old again")
    assert ledger.owners([0, 1]) == ["new", "old"]
    older.open(1, "old again")
    assert ledger.owners([0, 1]) == ["new", "old again"]
    older.abandon_commits()  # its connection goes back


class Overtaken(redis.Redis):
    """Between its first reading and what follows, another process does something."""

    meanwhile: Callable[[], None] | None = None

    def get(self, name: Any) -> Any:
        found = super().get(name)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return found


def test_of_two_that_raise_the_layout_at_once_the_lower_one_does_not_win(redis_url: str) -> None:
    client = Overtaken(connection_pool=redis.ConnectionPool.from_url(redis_url))
    lower, higher = redis_ledger(client), redis_ledger(redis.Redis.from_url(redis_url))
    higher.prepare(4, 1)
    client.meanwhile = lambda: higher.prepare(4, 3)
    with pytest.raises(LedgerError, match="has layout 3"):
        lower.prepare(4, 2)
    assert higher.recorded()["layout"] == "3"
    lower.close()
    higher.close()
