"""Is what waits decoded bounded, whichever topic is ahead, and however much may be applied at once?"""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import metrics
from flows.station import Station
from tests.flows.flow import Flow, ordered, viewed

_USERS = [f"user-{number}" for number in range(48)]
_BATCH, _QUEUED, _PARTITIONS = 10, 50, 16
_TURNS = 40


@pytest.mark.parametrize(
    ("views", "orders", "apart"),
    [(4, 1, 1000), (1, 4, 1000), (4, 0, 1000), (4, 0, 0)],
    ids=["orders are ahead", "views are ahead", "all of it may be applied", "all of it is of one instant"],
)
def test_what_waits_is_bounded(tmp_path: Path, views: int, orders: int, apart: int) -> None:
    """`apart`: milliseconds between turns."""
    flow = Flow(
        tmp_path,
        *(f"engine.batch_records={_BATCH}", f"engine.queued_records={_QUEUED}"),
        partitions=_PARTITIONS,
    )
    for turn in range(_TURNS):
        for user in _USERS:
            flow.write(*(viewed(turn * apart, user, f"k{turn}-{each}") for each in range(views)))
            flow.write(
                *(ordered(turn * apart, user, order_id=f"o{turn}-{each}-{user}") for each in range(orders))
            )
    queued: list[int] = []

    def look(station: Station, _: int) -> None:
        queued.append(sum(shard.merge.queued for shard in station.shards.values()))

    pauses = metrics.total(metrics.LIMIT_HITS, limit="queued_records")
    station = flow.run(look)
    assert station.intake.records >= _TURNS * len(_USERS) * (views + orders)
    lanes = _PARTITIONS * ((views > 0) + (orders > 0))
    assert max(queued) <= _QUEUED + lanes * _BATCH  # a file log reads a batch of each lane
    assert not orders or metrics.total(metrics.LIMIT_HITS, limit="queued_records") > pauses
