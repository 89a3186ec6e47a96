"""Does an outage's worth of timers fit into memory? It comes in portions, and none is missed."""

from __future__ import annotations

from pathlib import Path

from flows.station import Station
from tests.flows.flow import DAY, Flow, added, viewed


def test_an_outages_worth_of_timers_comes_in_portions(tmp_path: Path) -> None:
    """Everybody's cart falls due in the same gap; no round holds more of them than the limit, and none is missed."""
    users = 40
    flow = Flow(tmp_path, "engine.loaded_timers=3", "engine.batch_records=5")
    flow.write(*(added(number, f"u{number}") for number in range(users)))
    flow.write(viewed(3 * DAY, "late"))
    fired: list[int] = []

    def count(station: Station, _: int) -> None:
        fired.append(sum(len(shard.outbox) for shard in station.shards.values()))

    flow.run(count)
    assert len(flow.triggers("cart_abandoned")) == 2 * users
    assert max(fired) < users
