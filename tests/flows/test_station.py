"""Does the flow keep its promises about late, repeated, forgotten and sleeping users, over restarts?"""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import metrics
from tests.flows.flow import DAY, HOUR, MINUTE, START, Flow, added, event, ordered, viewed

CART = "rules.cart_abandoned.delay=1h"
ONE_STEP = "rules.cart_abandoned.second_delay=null"


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path, CART, ONE_STEP)


def test_a_cart_left_alone_is_told_once_however_often_the_flow_starts(flow: Flow) -> None:
    flow.write(added(0), viewed(2 * HOUR, "u2"))
    for _ in range(3):
        flow.run()
    assert [(t["subject"], t["data"]["anchor"]) for t in flow.triggers()] == [("u1", added(0)["event_id"])]


class TestALateEvent:
    """More than time.allowed_lateness (1 h) behind the newest event of its shard."""

    def test_updates_the_state_and_fires_nothing(self, flow: Flow) -> None:
        flow.write(viewed(10 * HOUR, "u2"), added(8 * HOUR), viewed(20 * HOUR, "u2"))
        flow.run()
        assert flow.triggers() == []
        assert list(flow.users()["u1"].cart.lines) == ["k1"]

    def test_fires_while_it_is_not_later_than_allowed(self, flow: Flow) -> None:
        flow.write(viewed(10 * HOUR, "u2"), added(9 * HOUR), viewed(20 * HOUR, "u2"))
        flow.run()
        assert [t["subject"] for t in flow.triggers()] == ["u1"]

    def test_is_late_also_for_the_next_process(self, flow: Flow) -> None:
        flow.write(viewed(10 * HOUR, "u2"))
        flow.run()
        flow.write(added(8 * HOUR), viewed(20 * HOUR, "u2"))
        flow.run()
        assert flow.triggers() == []
        assert list(flow.users()["u1"].cart.lines) == ["k1"]

    def test_still_takes_a_bought_piece_out_of_the_cart(self, flow: Flow) -> None:
        flow.write(added(0), viewed(30 * MINUTE, "u2"))
        flow.run()
        flow.change("time.allowed_lateness=1m")
        flow.write(ordered(10 * MINUTE), viewed(5 * HOUR, "u2"))
        flow.run()
        assert flow.triggers("cart_abandoned") == []
        assert not flow.users()["u1"].cart.lines

    def test_sets_the_timers_that_are_not_due_yet_and_no_other(self, flow: Flow) -> None:
        flow.change("time.allowed_lateness=1m")
        flow.write(ordered(31 * MINUTE, "u2"), ordered(10 * MINUTE), ordered(0, "u3"))
        flow.write(ordered(5 * HOUR, "u2"))
        flow.run()
        assert sorted((t["subject"], t["time"]) for t in flow.triggers("payment_pending")) == [
            ("u1", "2026-09-21T14:53:20Z"),
            ("u2", "2026-09-21T15:14:20Z"),
        ]

    def test_finds_done_what_was_due_by_the_clock_also_in_the_same_batch(self, flow: Flow) -> None:
        """Else it would be passed over what came in time."""
        flow.change("time.allowed_lateness=1m")
        flow.write(ordered(0), ordered(31 * MINUTE, "u2"), ordered(10 * MINUTE, order_id="o2"))
        flow.write(
            event("order_paid", 32 * MINUTE, "u2", order_id=f"o-{31 * MINUTE}-u2"), viewed(5 * HOUR, "u2")
        )
        flow.run()
        assert [t["data"]["order_id"] for t in flow.triggers("payment_pending")] == ["o-0-u1", "o2"]


def test_who_watches_is_known_by_the_last_interest_whatever_is_read_last(flow: Flow) -> None:
    flow.write(added(2 * HOUR), added(90 * MINUTE, "u2"), added(HOUR))
    flow.run()
    assert flow.ledger.load_watchers([(0, "k1")], 2) == [["u1", "u2"]]


class TestADuplicate:
    def test_changes_nothing_in_the_same_run_or_the_next(self, flow: Flow, tmp_path: Path) -> None:
        once, said = Flow(tmp_path / "once", CART, ONE_STEP), [added(0), viewed(MINUTE), ordered(2 * HOUR)]
        once.write(*said, viewed(4 * HOUR, "u2"))
        once.run()
        flow.write(*(each for each in said for _ in range(2)))
        flow.run()
        flow.write(*said, viewed(4 * HOUR, "u2"))
        flow.run()
        assert flow.users() == once.users()
        assert [t["id"] for t in flow.triggers()] == [t["id"] for t in once.triggers()]
        assert len(once.triggers("cart_abandoned")) == 1

    def test_of_an_order_under_another_event_id_counts_once(self, flow: Flow) -> None:
        flow.write(*(ordered(0, order_id="o1", event_id=f"e{n}") for n in range(3)))
        flow.write(*(event("order_paid", MINUTE, order_id="o1", event_id=f"p{n}") for n in range(3)))
        flow.run()
        rfm = flow.users()["u1"].rfm
        assert (rfm.orders, rfm.net_amount) == (1, 100)

    def test_that_is_also_late_is_counted_once(self, flow: Flow) -> None:
        flow.write(added(0), viewed(10 * HOUR))
        flow.run()
        flow.write(added(0))
        flow.run()
        assert len(flow.triggers()) == 1


def test_an_order_paid_before_it_is_placed_counts_however_many_there_were(flow: Flow) -> None:
    """More orders than the map of recent ones holds: what has counted makes room, not what is on its way."""
    for number in range(100):
        order = f"o{number}"
        flow.write(event("order_paid", number * HOUR + 1, order_id=order))
        flow.write(event("order_paid", number * HOUR + 2, order_id=f"{order}b"))
        flow.write(ordered(number * HOUR, order_id=order), ordered(number * HOUR + 3, order_id=f"{order}b"))
    flow.run()
    rfm = flow.users()["u1"].rfm
    assert (rfm.orders, rfm.net_amount) == (200, 200 * 100)


class TestErasure:
    def test_forgets_state_and_timers_and_ignores_what_follows(self, flow: Flow) -> None:
        flow.write(
            added(0), event("erase_requested", 30 * MINUTE), added(40 * MINUTE), viewed(9 * HOUR, "u2")
        )
        flow.run()
        user = flow.users()["u1"]
        assert user.erased_at == START + 30 * MINUTE
        assert not user.cart.lines
        assert flow.triggers() == flow.lines("decisions") == []
        assert flow.ledger.load_timers(0, -1, 10) == []

    def test_takes_back_a_trigger_that_is_decided_and_not_sent(self, flow: Flow) -> None:
        """The order makes the reminder due before it come first; the request is read with it."""
        flow.change("engine.commit_age=1h", "engine.commit_interval=1h")  # decided, and not yet committed
        flow.write(added(0), added(0, "u2"), ordered(2 * HOUR, sku="k9"), event("erase_requested", 3 * HOUR))
        flow.run()
        assert {t["subject"] for t in flow.triggers()} == {"u2"}
        assert {t["user_id"] for t in flow.lines("decisions")} == {"u2"}

    def test_leaves_what_was_sent_before(self, flow: Flow) -> None:
        flow.write(added(0), viewed(2 * HOUR, "u2"))
        flow.run()
        flow.write(event("erase_requested", 3 * HOUR), viewed(9 * HOUR, "u2"))
        flow.run()
        assert [t["subject"] for t in flow.triggers()] == ["u1"]


class TestSleepingUsers:
    def test_are_woken_by_the_next_process(self, flow: Flow) -> None:
        flow.write(added(0))
        flow.run()
        assert flow.triggers() == []
        flow.write(viewed(2 * HOUR, "u2"))
        flow.run()
        assert [t["subject"] for t in flow.triggers()] == ["u1"]

    def test_all_of_them_in_order_though_few_timers_fit_into_memory(self, tmp_path: Path) -> None:
        flow = Flow(tmp_path, CART, ONE_STEP, "engine.loaded_timers=3", "engine.batch_records=10")
        users = [f"u{n}" for n in range(100)]
        flow.write(*(added(n // 4 * 1000, user) for n, user in enumerate(users)))
        flow.run()
        flow.write(viewed(5 * DAY, "late"))
        flow.run()
        told = [(t["time"], t["subject"]) for t in flow.triggers()]
        assert sorted(user for _, user in told) == sorted(users)
        assert told == sorted(told)

    def test_and_each_trigger_shows_the_profile_of_its_own_moment(self, flow: Flow) -> None:
        """Read at once: the stage changes at the same waking as the cart is told of, a month later."""
        flow.write(ordered(0, order_id="o1"), event("order_paid", 1, order_id="o1"), added(HOUR, sku="k2"))
        flow.write(viewed(60 * DAY, "u2"))
        flow.run()
        told = [
            (t["data"]["rule"], t["data"]["profile"]["stage"])
            for t in flow.triggers()
            if t["subject"] == "u1"
        ]
        assert ("cart_abandoned", "new") in told
        assert ("stage_changed", "declining") in told

    def test_though_more_users_than_memory_holds_come_between(self, tmp_path: Path) -> None:
        flow = Flow(tmp_path, CART, ONE_STEP, "state.cached_users=1", "engine.batch_records=100")
        flow.write(*(added(n * 1000, f"u{n}") for n in range(3000)))
        flow.write(*(ordered(3_100_000 + n, f"u{n}") for n in range(0, 3000, 3)))
        flow.write(viewed(3 * HOUR, "last"))
        held: list[int] = []
        flow.run(
            lambda station, _: held.append(
                len(station.shards[0].packed) + len(station.shards[0].packed_before)
            )
        )
        assert max(held[: len(held) // 2]) <= 400, "as few as is set, and those of a few rounds"
        assert {t["subject"] for t in flow.triggers("cart_abandoned")} == {
            f"u{n}" for n in range(3000) if n % 3
        }


class TestAnotherOwner:
    def test_fences_us_and_nothing_is_lost_or_repeated(self, flow: Flow) -> None:
        flow.change("engine.batch_records=2")
        flow.write(*(added(n * MINUTE, f"u{n}") for n in range(20)), viewed(9 * HOUR, "last"))
        flow.run(lambda _, step: flow.ledger.open(0, "another") if step == 5 else None)
        ids = [t["id"] for t in flow.triggers()]
        assert len(ids) == len(set(ids)) == 20


class TestLetters:
    """Three shards; the stock of k1 falls on one of them."""

    def test_low_stock_reaches_those_who_care_on_all_shards(self, tmp_path: Path) -> None:
        flow = self.flow_with_watchers(tmp_path, "rules.low_stock.reach_per_unit=null")
        flow.run()
        assert {t["subject"] for t in flow.triggers("low_stock")} == {f"u{n}" for n in range(12)}
        assert len(flow.triggers("low_stock")) == 12
        assert len({part for part in range(3) if flow.path("triggers", part).exists()}) == 3

    def test_and_no_more_of_them_than_the_pieces_left_can_bear(self, tmp_path: Path) -> None:
        flow = self.flow_with_watchers(tmp_path, "rules.low_stock.reach_per_unit=2")
        flow.run()
        assert len(flow.triggers("low_stock")) == 2 * 2
        reasons = [d["reason"] for d in flow.lines("decisions") if d["rule"] == "low_stock"]
        assert sorted(map(str, reasons)) == ["None"] * 4 + ["reach"] * 8

    @staticmethod
    def flow_with_watchers(directory: Path, *overrides: str) -> Flow:
        flow = Flow(directory, "rules.cart_abandoned.enabled=false", *overrides, partitions=3)
        flow.write(event("stock_changed", 0, None, sku="k1", available=9))
        flow.write(*(added(n * 1000, f"u{n}") for n in range(12)))
        flow.write(event("stock_changed", MINUTE, None, sku="k1", available=2))
        flow.write(*(viewed(2 * MINUTE + n, f"w{n}", "k2") for n in range(12)))
        return flow


def test_every_record_is_counted_as_one_thing(flow: Flow) -> None:
    def counted() -> dict[str, int]:
        kinds = ("ok", "late", "duplicate", "invalid")
        return {kind: metrics.total(metrics.EVENTS, result=kind) for kind in kinds}

    before = counted()
    late = added(8 * HOUR)
    flow.write(viewed(10 * HOUR, "u2"), viewed(10 * HOUR, "u2"), late, late)
    flow.write_bytes("clickstream", b"no event")
    flow.run()
    found = {kind: count - before[kind] for kind, count in counted().items()}
    assert found == {"ok": 1, "late": 1, "duplicate": 2, "invalid": 1}


def test_what_is_found_in_memory_and_what_had_to_be_read_are_all_that_was_asked_for(flow: Flow) -> None:
    def counted() -> list[int]:
        return [metrics.total(metrics.CACHE_REQUESTS, result=result) for result in ("hit", "miss")]

    before = counted()
    flow.write(viewed(0, "u1"), viewed(1, "u1"), viewed(2, "u2"), viewed(3, "u1"))
    flow.write(event("stock_changed", 4, None, sku="k1", available=9))
    flow.run()
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [2, 3]
