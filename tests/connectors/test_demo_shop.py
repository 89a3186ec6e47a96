"""Is the demo shop believable, repeatable, and does it give every rule an occasion before it is live?"""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import takewhile
from typing import Any

import pytest

from connectors.codec import Decoder, Rejected, RejectReason
from connectors.demo_script import STRAY_LIMIT, Written
from connectors.demo_shop import BAD, DemoShop
from state import events
from state.calendar import DAY, HOUR, MINUTE, SECOND

START = 1_790_000_000_000
LIVE = START + 26 * HOUR
END = LIVE + 10 * MINUTE
RATE = 5.0
SHOPPERS = 300


@cache
def records(seed: int = 7, *, history: bool = True) -> tuple[Written, ...]:
    shop = DemoShop(seed, SHOPPERS, START, live_at=LIVE, rate=RATE, history=history)
    return tuple(takewhile(lambda written: written.ts < END, shop.events()))


def told(*kinds: str) -> list[dict[str, Any]]:
    """Events of some kinds as they happened: without repeats, by event time."""
    unique = {w.event["event_id"]: w.event for w in records() if isinstance(w.event, dict)}
    return sorted((e for e in unique.values() if e["type"] in kinds), key=lambda e: e["ts"])


def test_a_seed_and_a_start_give_one_stream() -> None:
    again = DemoShop(7, SHOPPERS, START, live_at=LIVE, rate=RATE)
    assert tuple(takewhile(lambda written: written.ts < END, again.events())) == records()
    assert records(8) != records()


def test_ids_of_another_run_are_others() -> None:
    def ids(shop: DemoShop) -> set[str]:
        written = takewhile(lambda w: w.ts < START + HOUR, shop.events())
        return {w.event["event_id"] for w in written if isinstance(w.event, dict)}

    mine = ids(DemoShop(7, 10, START))
    assert not mine & ids(DemoShop(7, 10, START + 1))
    assert not mine & ids(DemoShop(8, 10, START))


def test_records_come_in_time_order_but_for_a_few_stragglers_and_repeats() -> None:
    assert all(a.ts <= b.ts for a, b in zip(records(), records()[1:], strict=False))
    late = [w.ts - w.event["ts"] for w in records() if isinstance(w.event, dict)]
    assert min(late) == 0
    assert SECOND <= max(late) <= STRAY_LIMIT
    stray = sum(1 for delay in late if delay)
    repeated = len(late) - len({w.event["event_id"] for w in records() if isinstance(w.event, dict)})
    assert 0.005 * len(late) < repeated < 0.02 * len(late)
    assert 0.001 * len(late) < stray - repeated < 0.01 * len(late)


def test_the_codec_takes_all_but_the_intended_bad_ones() -> None:
    reasons: Counter[RejectReason] = Counter()
    bad = {value for _, value in BAD}
    for role, union in events.TOPICS.items():
        mine = [w for w in records() if w.topic == role]
        decoder = Decoder(role, union, max_bytes=262_144, currency="CNY", ahead_limit_ms=5 * MINUTE)
        for written, answer in zip(mine, decoder.decode([w.value for w in mine], END), strict=True):
            assert b"\n" not in written.value
            assert isinstance(answer, Rejected) == (written.value in bad), (written, answer)
            if isinstance(answer, Rejected):
                reasons[answer.reason] += 1
    assert set(reasons) == {
        RejectReason.MALFORMED,
        RejectReason.NOT_UTF8,
        RejectReason.UNKNOWN_TYPE,
        RejectReason.INVALID_FIELD,
        RejectReason.NO_USER,
        RejectReason.CURRENCY,
    }


def test_the_key_is_the_user_or_the_sku() -> None:
    for written in records():
        if isinstance(written.event, dict) and written.topic != "context":
            event = written.event
            owner = (
                event["sku"]
                if written.topic == "inventory"
                else event.get("user_id", event.get("anonymous_id"))
            )
            assert written.key == owner


def test_the_past_is_compact_and_the_live_rate_is_as_asked() -> None:
    past = [w for w in records() if w.ts < START]
    assert 120 * DAY < START - past[0].ts < 135 * DAY
    assert len({w.key for w in past if w.key.startswith("shopper-")}) == 150
    assert len(past) < 5_000
    assert sum(1 for w in records() if START <= w.ts < LIVE) < 30_000
    live = [w for w in records() if w.ts >= LIVE]
    assert len(live) / ((END - LIVE) / SECOND) == pytest.approx(RATE, rel=0.2)


def test_without_history_nothing_happened_before_and_nobody_registers() -> None:
    again = records(history=False)
    assert again[0].ts >= START
    kinds = {w.event["type"] for w in again if isinstance(w.event, dict)}
    assert "registered" not in kinds
    assert {"product_viewed", "order_paid", "stock_changed"} <= kinds


# --- an occasion for every rule, before the shop is live


def orders_of(kind: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for event in told(kind):
        found.setdefault(event["user_id"], []).append(event["ts"])
    return found


def test_some_carts_stay_untouched_for_a_day() -> None:
    touched: dict[str, dict[str, Any]] = {}
    for event in told("cart_item_added", "cart_item_removed", "order_placed"):
        if event["ts"] < LIVE:
            touched[event["user_id"]] = event
    asleep = [e for e in touched.values() if e["type"] == "cart_item_added" and LIVE - e["ts"] > 24 * HOUR]
    assert len(asleep) >= 10


def test_some_orders_stay_unpaid() -> None:
    ended = {e["order_id"]: e["ts"] for e in told("order_paid", "order_cancelled")}
    placed = [e for e in told("order_placed") if e["ts"] < LIVE - 30 * MINUTE]
    unpaid = [e for e in placed if ended.get(e["order_id"], END) - e["ts"] > 30 * MINUTE]
    assert 10 <= len(unpaid) < len(placed) / 3


def test_stock_runs_low_and_comes_back_while_people_want_it() -> None:
    left: dict[str, int] = {}
    wanted: dict[str, set[str]] = {}
    low = back = 0
    for event in told("stock_changed", "product_viewed", "favorited", "cart_item_added"):
        sku = event["sku"]
        if event["type"] != "stock_changed":
            wanted.setdefault(sku, set()).add(event.get("user_id", ""))
            continue
        before, now = left.get(sku, 0), event["available"]
        left[sku] = now
        interest = len(wanted.get(sku, set()) - {""})
        low += before > 3 >= now > 0 and interest > 3
        back += before == 0 < now and interest > 3
        if now == 0:
            wanted[sku] = set()  # back in stock is for those who looked while it was out
    assert low >= 10
    assert back >= 4


def test_some_newcomers_do_not_buy_within_a_day() -> None:
    ordered = orders_of("order_placed")
    newcomers = [e for e in told("registered") if START <= e["ts"] < LIVE - 24 * HOUR]
    idle = [e for e in newcomers if not any(ts < e["ts"] + DAY for ts in ordered.get(e["user_id"], []))]
    assert len(idle) >= 10
    assert len(idle) < len(newcomers)


def test_some_buyers_are_slipping_away_and_some_come_back() -> None:
    gaps: Counter[int] = Counter()
    returned = 0
    for times in orders_of("order_paid").values():
        for before, after in zip(times, [*times[1:], LIVE], strict=True):
            gaps.update(days for days in (30, 60, 90, 120) if after - before > days * DAY)
            returned += after < LIVE and after - before > 90 * DAY
    assert min(gaps.values()) >= 10
    assert len(gaps) == 4
    assert returned >= 3


def test_some_silences_end_on_the_first_day() -> None:
    seen = {w.key for w in records() if START <= w.ts < LIVE}
    last = {user: times[-1] for user, times in orders_of("order_paid").items() if user not in seen}
    crossed = Counter(
        days for ts in last.values() for days in (30, 60, 90, 120) if START < ts + days * DAY < LIVE
    )
    assert len(crossed) == 4
    assert min(crossed.values()) >= 2


def test_some_welcome_coupons_lie_unused_for_five_days() -> None:
    firsts = [times for times in orders_of("order_paid").values() if START - 7 * DAY < times[0] < LIVE]
    assert sum(1 for t in firsts if t[0] < LIVE - 5 * DAY and (len(t) == 1 or t[1] - t[0] > 5 * DAY)) >= 5
    assert sum(1 for t in firsts if t[0] > START) >= 20


def test_consent_is_given_by_most_and_taken_back_by_some() -> None:
    granted = {e["user_id"] for e in told("consent_changed") if e["granted"]}
    assert len(granted) > 0.9 * SHOPPERS
    assert any(not e["granted"] for e in told("consent_changed"))
    assert told("unsubscribed")
    zones = {e["timezone"] for e in told("profile_updated") if "timezone" in e}
    assert len(zones) >= 4
