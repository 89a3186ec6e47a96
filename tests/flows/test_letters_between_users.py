"""What goes with a person who moves (caps, watches, erasure), and does a referrer hear of whom they brought?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.murmur2 import partition
from state.user import LAYOUT, User
from tests.flows.flow import DAY, HOUR, MINUTE, START, Flow, added, event, ordered, viewed
from tests.flows.test_any_way import POLICY
from tests.flows.test_letters import FAR, NEAR, SHARDS, A, B, followed, linked, living, paid, quiet
from triggers.catalog import RULES


@pytest.mark.parametrize("ids", [FAR, NEAR], ids=["far", "near"])
@pytest.mark.parametrize("erased_as", ["alias", "living"])
def test_an_alias_knows_what_it_was_told_until_it_is_erased(
    tmp_path: Path, ids: list[str], erased_as: str
) -> None:
    a, b, _ = ids
    flow = Flow(tmp_path, partitions=SHARDS)
    flow.write(event("registered", 0, a), linked(10, a, b))
    flow.run()
    assert flow.users()[a].contact.episodes.keys() == {"stage_changed"}
    flow.write(event("erase_requested", 20, a if erased_as == "alias" else b))
    flow.run()
    assert flow.users()[a].own_contact is None
    assert flow.users()[b] == User(LAYOUT, b, erased_at=START + 20)


@pytest.mark.parametrize("ids", [FAR, NEAR], ids=["far", "near"])
@pytest.mark.parametrize("erased_as", ["alias", "living"])
def test_who_is_erased_under_one_id_is_erased_under_all(
    tmp_path: Path, ids: list[str], erased_as: str
) -> None:
    a, b, _ = ids
    who = a if erased_as == "alias" else b
    flow = Flow(tmp_path, partitions=SHARDS)
    flow.write(added(0, a), ordered(1, a), linked(10, a, b), event("erase_requested", 20, who))
    flow.run()
    flow.write(viewed(100, a), viewed(101, b), added(102, a), linked(103, a, b), linked(104, b, a))
    flow.run()
    assert flow.users()[b] == User(LAYOUT, b, erased_at=START + 20)
    assert followed(flow, a).erased_at == START + 20
    assert flow.ledger.load_watchers([(partition(b.encode(), SHARDS), "k1")], 10) in ([[]], [[a]])
    assert flow.triggers() == []


@pytest.mark.parametrize("ids", [FAR, NEAR], ids=["far", "near"])
@pytest.mark.parametrize("link_at", [10, 30])
def test_a_link_from_an_erased_id_takes_the_erasure_along_if_it_was_made_before(
    tmp_path: Path, ids: list[str], link_at: int
) -> None:
    """The link is read after the erasure in either case: what counts is when they happened."""
    a, b, _ = ids
    flow = Flow(tmp_path, partitions=SHARDS)
    flow.write(viewed(0, a), added(1, b), event("erase_requested", 20, a))
    flow.run()
    flow.write(linked(link_at, a, b))
    flow.run()
    users = flow.users()
    assert users[a] == User(LAYOUT, a, erased_at=START + 20)
    assert (users[b].erased_at is not None) == (link_at < 20)
    assert len(flow.triggers("cart_abandoned")) == 0


def test_what_is_linked_to_an_erased_user_goes_where_that_user_went(tmp_path: Path) -> None:
    flow = Flow(tmp_path, partitions=SHARDS)
    flow.write(
        viewed(0, B), event("erase_requested", 20, B), added(21, A), linked(30, A, B, by=A), added(40, A)
    )
    flow.run()
    users = flow.users()
    assert users[B] == User(LAYOUT, B, erased_at=START + 20)
    assert (users[A].alias_of, users[A].own_cart) == (B, None)


@pytest.mark.parametrize("ids", [FAR, NEAR], ids=["far", "near"])
@pytest.mark.parametrize("order", ["placed-paid", "paid-placed"])
@pytest.mark.parametrize("referred_at", [5, 50])
def test_a_referrer_hears_of_the_first_order_of_whom_they_brought_once(
    tmp_path: Path, ids: list[str], order: str, referred_at: int
) -> None:
    """Also where the word that they were brought comes after it, as long as it was said before."""
    referrer, referee, alias = ids
    steps = {
        "placed": [ordered(10, referee, order_id="o1"), ordered(20, referee, order_id="o2")],
        "paid": [paid(11, referee, "o1"), paid(21, referee, "o2")],
    }
    flow = quiet(tmp_path)
    first, second = order.split("-")
    flow.write(*steps[first])
    flow.run()
    flow.write(
        linked(1, alias, referrer), event("referral_completed", referred_at, alias, referee_id=referee)
    )
    flow.run()
    flow.write(*steps[second])
    flow.run()
    expected = {referee: START + 11} if referred_at == 5 else {}
    assert flow.users()[referrer].ties.referees == expected


def _referral(tmp_path: Path, referrer: str, referee: str, *overrides: str) -> Flow:
    """She was brought, and has paid for her first order."""
    others = (rule.name for rule in RULES if rule.name != "referral_reward")
    off = [f"rules.{rule}.enabled=false" for rule in others]
    flow = Flow(tmp_path, *off, *overrides, partitions=SHARDS)
    flow.write(event("referral_completed", 0, referrer, referee_id=referee))
    flow.run()
    flow.write(ordered(10, referee, order_id="o1"), paid(11, referee, "o1"))
    flow.run()
    return flow


@pytest.mark.parametrize("ids", [FAR, NEAR], ids=["far", "near"])
@pytest.mark.parametrize("undone", ["order_cancelled", "refund_issued"])
def test_both_are_told_of_a_first_order_once_also_where_it_is_taken_back_and_made_again(
    tmp_path: Path, ids: list[str], undone: str
) -> None:
    referrer, referee, _ = ids
    flow = _referral(tmp_path, referrer, referee)
    assert flow.users()[referrer].ties.referees == {referee: START + 11}
    amount: dict[str, Any] = {"amount": 1} if undone == "refund_issued" else {}
    flow.write(event(undone, 20, referee, order_id="o1", **amount))
    flow.run()
    assert flow.users()[referrer].ties.referees == {}
    flow.write(ordered(30, referee, order_id="o2"), paid(31, referee, "o2"))
    flow.run()
    again = {} if amount else {referee: START + 31}  # a refunded order is still the first
    assert flow.users()[referrer].ties.referees == again
    told = {
        (t["subject"], t["data"]["role"], t["data"]["other"], t["data"]["anchor"]) for t in flow.triggers()
    }
    assert told == {
        (referrer, "referrer", referee, f"referral:{referee}"),
        (referee, "referee", referrer, f"referral:{referee}"),
    }
    assert len(flow.triggers()) == 2


@pytest.mark.parametrize("ids", [FAR, NEAR], ids=["far", "near"])
@pytest.mark.parametrize("taken_back", [True, False])
def test_the_referrer_does_not_hear_in_the_morning_of_what_was_taken_back_in_the_night(
    tmp_path: Path, ids: list[str], taken_back: bool
) -> None:
    referrer, referee, _ = ids
    night = (
        'policy.quiet_hours.start="14:00"',
        'policy.quiet_hours.end="15:00"',
        "policy.quiet_hours.zone=UTC",
    )
    flow = _referral(tmp_path, referrer, referee, "policy.enabled=true", *night)
    if taken_back:
        flow.write(event("order_cancelled", MINUTE, referee, order_id="o1"))
    flow.write(viewed(2 * HOUR, referrer), viewed(2 * HOUR, referee))
    flow.run()
    told = sorted(t["subject"] for t in flow.triggers())
    assert told == ([] if taken_back else sorted([referrer, referee]))
    verdicts = sorted((d["user_id"], d["verdict"], d["reason"]) for d in flow.lines("decisions"))
    last = ("suppress", "stale") if taken_back else ("publish", None)
    assert verdicts == sorted(
        (who, *verdict) for who in (referrer, referee) for verdict in (("defer", "quiet_hours"), last)
    )


@pytest.mark.parametrize("ids", [FAR, NEAR], ids=["far", "near"])
def test_a_referee_who_goes_by_another_id_earns_no_second_reward(tmp_path: Path, ids: list[str]) -> None:
    referrer, referee, other = ids
    flow = _referral(tmp_path, referrer, referee)
    flow.write(linked(100, referee, other))
    flow.run()
    flow.write(ordered(200, other, order_id="o2"), paid(201, other, "o2"), viewed(HOUR, referrer))
    flow.run()
    assert sorted(t["subject"] for t in flow.triggers()) == sorted([referrer, referee])


def test_nobody_brings_themselves(tmp_path: Path) -> None:
    flow = quiet(tmp_path)
    flow.write(
        event("referral_completed", 1, A, referee_id=B), linked(2, A, B), ordered(10, B, order_id="o1")
    )
    flow.run()
    flow.write(paid(11, B, "o1"))
    flow.run()
    assert flow.users()[B].ties.referees == {}


def test_what_an_alias_was_sent_counts_for_the_cap(tmp_path: Path) -> None:
    """Two a week: each id has had one, so the person has had both."""
    only = ("rules.stage_changed.enabled=false", "rules.cart_abandoned.second_delay=null")
    flow = Flow(tmp_path, *POLICY, *only, partitions=SHARDS)
    flow.write(*(event("consent_changed", 0, user, channel="app_push", granted=True) for user in (A, B)))
    flow.write(added(1, A), added(2, B), viewed(2 * DAY, A), viewed(2 * DAY, B))
    flow.run()
    assert sorted(t["subject"] for t in flow.triggers()) == sorted([A, B])
    flow.write(linked(2 * DAY + 1, A, B), added(3 * DAY, A, "k2"))
    flow.write(*(viewed(5 * DAY, user, "k9") for user in (A, B)))  # what no rule asks about
    flow.run()
    assert len(flow.triggers()) == 2
    refused = [d["user_id"] for d in flow.lines("decisions") if d["reason"] == "frequency_cap"]
    assert refused == [B]


def stock(after: int, available: int) -> dict[str, Any]:
    return event("stock_changed", after, None, f"stock-{after}", sku="k1", available=available)


@pytest.mark.parametrize("ids", [FAR, NEAR], ids=["far", "near"])
def test_who_watched_a_sku_as_an_alias_still_hears_of_it_once(tmp_path: Path, ids: list[str]) -> None:
    a, b, _ = ids
    flow = Flow(tmp_path, "rules.low_stock.reach_per_unit=1000", partitions=SHARDS)
    flow.write(stock(0, 9), added(1, a), linked(1000, a, b), stock(2000, 2), viewed(HOUR // 2, a))
    flow.run()
    assert [t["subject"] for t in flow.triggers("low_stock")] == [b]
    flow.write(stock(HOUR, 9), stock(HOUR + 1000, 1), viewed(HOUR + MINUTE, b))
    flow.run()
    assert [t["subject"] for t in flow.triggers("low_stock")] == [b, b]
    assert b in flow.ledger.load_watchers([(partition(b.encode(), SHARDS), "k1")], 10)[0]


def test_a_link_of_an_id_to_itself_does_nothing(tmp_path: Path) -> None:
    flow = quiet(tmp_path)
    flow.write(added(0, A), linked(1, A, A, by=B))
    flow.run()
    assert sorted(living(flow)) == [A, B]
    assert [*flow.users()[A].cart.lines] == ["k1"]


def test_an_anonymous_id_may_be_an_alias_and_its_events_follow(tmp_path: Path) -> None:
    flow = quiet(tmp_path, partitions=1)
    seen = event("product_viewed", 5, None, sku="k1", anonymous_id="cookie")
    flow.write(seen, linked(6, "cookie", "u1"), {**seen, "event_id": "later", "ts": START + 7})
    flow.run()
    assert dict(flow.users()["u1"].activity.viewed.items())["k1"].times == 2
    assert flow.users()["u1"].ties.aliases == ["cookie"]


def test_an_event_as_large_as_one_may_be_fits_a_letter(tmp_path: Path) -> None:
    """A wholesale order of a thousand lines, and who has placed many of them moves without what was in the oldest."""
    lines = [{"sku": f"sku-{number:04d}-{'x' * 100}", "quantity": 1, "price": 100} for number in range(1000)]
    flow = quiet(tmp_path)
    orders = [ordered(number, A, order_id=f"o{number}", lines=lines) for number in range(3)]
    flow.write(*orders, linked(100, A, B, by=A), ordered(200, A, order_id="last", lines=lines))
    flow.run()
    known = flow.users()[B].orders.by_id
    assert [len(known[order_id].skus) for order_id in ("o0", "o1", "o2", "last")] == [0, 0, 1000, 1000]
    assert flow.lines("dead_letters") == []
