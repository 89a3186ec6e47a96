"""Whose time has come, and before which events? What time has passed is decided, however much is read at once."""

from __future__ import annotations

from connectors import metrics
from flows.persons import Persons
from flows.shard import Shard, ShardBatch


class Alarm:
    """Fires timers; `due` are those taken out of a shard's heap for a batch, the earliest last."""

    def __init__(self, persons: Persons, out_of_orderness: int) -> None:
        self._persons = persons
        self._out_of_orderness = out_of_orderness

    def pass_time(self, batch: ShardBatch, due: list[tuple[int, str]]) -> None:
        """As far as a watermark would have come by the shard's clock."""
        self.fire(batch.shard, due, min(batch.shard.clock - self._out_of_orderness, batch.passing))

    def fire(self, shard: Shard, due: list[tuple[int, str]], before: int) -> None:
        """Every timer due before then, also those this batch has set."""
        if shard.timers.earliest < before or (due and due[-1][0] < before):
            self._wake(shard, due, before)

    def _wake(self, shard: Shard, due: list[tuple[int, str]], before: int) -> None:
        found = shard.timers.pop_due(before)
        while due and due[-1][0] < before:
            found.append(due.pop())
        found.sort()
        self.ring(shard, found, before)

    def ring(self, shard: Shard, timers: list[tuple[int, str]], before: int) -> None:
        """What is due before then for whom these timers are."""
        self._persons.load((shard, user_id) for _, user_id in timers)  # mostly read with the batch
        for at, user_id in timers:
            user = shard.user(user_id)
            if user.due == at:
                metrics.TIMER_DELAY.observe((before - at) / 1000)
                self._persons.wake(shard, user, before)
