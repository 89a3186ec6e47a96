"""Does a shard know which calls are known, under way and over, also when it has forgotten the earlier ones?"""

from __future__ import annotations

from connectors import metrics
from flows.calls import KEPT_LIMIT, UNDER_WAY_LIMIT, Calls
from state.calls import WeatherAlert
from state.ledger import Blob


def alert(name: str, ends_at: int = 100) -> WeatherAlert:
    return WeatherAlert(event_id=name, ts=1, region="north", condition="rain", starts_at=2, ends_at=ends_at)


def finish(calls: Calls) -> None:
    for calling in [*calls.under_way]:
        calling.done = True
        calls.note(calling)


def stored(calls: Calls, before: dict[str, Blob] | None = None) -> dict[str, Blob]:
    kept: dict[str, Blob | None] = {**(before or {})}
    kept.update(calls.take())
    return {name: blob for name, blob in kept.items() if blob is not None}


def test_the_same_call_for_the_same_audience_is_known_also_after_a_restart() -> None:
    calls = Calls({})
    assert calls.begin("region:north", alert("a"), 50)
    assert not calls.begin("region:north", alert("a"), 60)
    assert calls.begin("interested", alert("a"), 60)
    again = Calls(stored(calls))
    assert not again.begin("region:north", alert("a"), 70)
    assert [(calling.audience, calling.number) for calling in again.under_way] == [
        ("region:north", 50),
        ("interested", 60),
    ]
    assert not again.changed


def test_numbers_grow_within_one_moment_and_after_everything_is_forgotten() -> None:
    calls = Calls({})
    for name in "abc":
        calls.begin("region:north", alert(name), 50)
    assert [calling.number for calling in calls.under_way] == [50, 51, 52]
    finish(calls)
    calls.forget(52, 0)
    assert [calling.number for calling in calls.of("region:north")] == [50, 51, 52], "none is over"
    calls.forget(101, 0)
    assert calls.of("region:north") == []
    calls.begin("region:north", alert("d"), 102)
    assert calls.under_way[0].number == 102


def test_what_is_over_is_kept_while_it_is_being_told_while_it_may_be_said_again_and_while_numbers_need_it() -> (
    None
):
    calls = Calls({})
    calls.begin("region:north", alert("a"), 500)
    calls.forget(10_000, 50)
    assert len(calls.of("region:north")) == 1
    finish(calls)
    for watermark in (149, 500):
        calls.forget(watermark, 50)
        assert len(calls.of("region:north")) == 1, watermark
    before = stored(calls)
    calls.forget(501, 50)
    assert stored(calls, before) == {}


def test_of_too_many_the_one_that_ends_first_goes_and_never_one_under_way() -> None:
    calls, before = Calls({}), metrics.total(metrics.LIMIT_HITS, limit="calls")
    for number in range(KEPT_LIMIT + 1):
        calls.begin("region:north", alert(f"a{number}", ends_at=1000 - number), number)
        finish(calls)
    calls.begin("region:north", alert("next", ends_at=1), 900)
    names = {calling.content.event_id for calling in calls.of("region:north")}
    assert names == {f"a{number}" for number in range(KEPT_LIMIT)} | {"next"}
    assert metrics.total(metrics.LIMIT_HITS, limit="calls") == before + 1


def test_it_is_crowded_when_too_many_are_under_way() -> None:
    calls = Calls({})
    for number in range(UNDER_WAY_LIMIT + 1):
        assert not calls.crowded
        calls.begin("region:north", alert(f"a{number}"), number)
    assert calls.crowded
