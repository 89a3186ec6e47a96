"""Is what waits decoded bounded, whichever topic is ahead, and however much may be applied at once?"""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import metrics
from flows.station import Station
from tests.flows.flow import Flow, ordered, viewed

_USERS = [f"user-{number}" for number in range(12)]
_BATCH, _QUEUED, _PARTITIONS = 10, 50, 4
_TURNS = 100


@pytest.mark.parametrize(
    ("views", "orders"),
    [(4, 1), (1, 4), (4, 0)],
    ids=["orders are ahead", "views are ahead", "all of it may be applied"],
)
def test_what_waits_is_bounded(tmp_path: Path, views: int, orders: int) -> None:
    flow = Flow(
        tmp_path,
        *(f"engine.batch_records={_BATCH}", f"engine.queued_records={_QUEUED}"),
        partitions=_PARTITIONS,
    )
    for turn in range(_TURNS):
        for user in _USERS:
            flow.write(*(viewed(turn * 1000 + each, user) for each in range(views)))
            flow.write(*(ordered(turn * 1000 + each, user) for each in range(orders)))
    queued: list[int] = []

    def look(station: Station, _: int) -> None:
        queued.append(sum(shard.merge.queued for shard in station.shards.values()))

    pauses = metrics.total(metrics.LIMIT_HITS, limit="queued_records")
    station = flow.run(look)
    assert station.intake.records >= _TURNS * len(_USERS) * (views + orders)
    lanes = sum(len(shard.merge.queues) for shard in station.shards.values())
    assert max(queued) <= _QUEUED + lanes * _BATCH  # a file log reads a batch of each lane
    assert not orders or metrics.total(metrics.LIMIT_HITS, limit="queued_records") > pauses
