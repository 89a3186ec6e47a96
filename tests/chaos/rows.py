"""Which rows of the fault matrix are there, and how many points has each?"""

from __future__ import annotations

from dataclasses import dataclass

from tests.chaos import rows_input, rows_kafka, rows_process, rows_redis, rows_watched
from tests.chaos.lab import Row


@dataclass(frozen=True)
class Entry:
    run: Row
    points: int

    @property
    def title(self) -> str:
        """The first line of the row's docstring, without its number."""
        return (self.run.__doc__ or "").partition(": ")[2].partition("\n")[0]


ROWS = {
    "1": Entry(rows_process.killed, 50),
    "2": Entry(rows_process.killed_at_a_step, 26),
    "3": Entry(rows_process.terminated, 16),
    "4": Entry(rows_process.frozen, 6),
    "4b": Entry(rows_process.stalled, 10),
    "5": Entry(rows_redis.killed, 30),
    "6": Entry(rows_redis.truncated, 20),
    "6b": Entry(rows_redis.failed_over, 9),
    "7": Entry(rows_redis.forgotten, 4),
    "8": Entry(rows_redis.disobedient, 20),
    "9": Entry(rows_kafka.bounced, 8),
    "10": Entry(rows_kafka.cut_replies, 20),
    "10b": Entry(rows_kafka.late_replies, 2),
    "11k": Entry(rows_kafka.parted_from_kafka, 3),
    "11r": Entry(rows_kafka.parted_from_redis, 3),
    "12": Entry(rows_process.rescaled, 3),
    "13": Entry(rows_input.wrong_clock, 2),
    "13b": Entry(rows_input.outage, 3),
    "14": Entry(rows_input.poisoned, 2),
    "15": Entry(rows_input.changed_topics, 3),
    "w": Entry(rows_watched.watched, 1),
}
