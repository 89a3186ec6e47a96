"""Which late order shows that a coupon of the encore was wrong, and what is said of a call heard again?"""

from __future__ import annotations

from typing import Any

import pytest

from state import events
from state.calendar import DAY, HOUR
from state.scenes import ALERTS_LIMIT, STAGES_LIMIT
from tests.triggers.golden import plan_of
from tests.triggers.shop import Shop
from triggers.rules.campaign_stage import NAME, Params, refuted
from triggers.trigger import Publish

START = 30 * DAY


@pytest.mark.parametrize(
    ("sku", "category", "placed_at", "paid_before", "is_wrong"),
    [
        ("k1", None, START - HOUR, False, True),
        ("k7", "tea", START - HOUR, False, True),
        ("k7", None, START - HOUR, False, False),
        ("k1", None, START - 2 * DAY - 1, False, False),
        ("k1", None, START - 2 * DAY, False, True),
        ("k1", None, START - HOUR, True, False),
    ],
)
def test_a_purchase_in_the_campaign_does_and_after_a_gift_nothing_does(
    sku: str, category: str | None, placed_at: int, paid_before: bool, is_wrong: bool
) -> None:
    overrides = {"campaigns": {"d11": {"skus": ["k1"], "categories": ["tea"]}}, "bought_within": "2d"}
    plan = plan_of({NAME: overrides}, None)
    params = plan.armed[NAME].params
    assert isinstance(params, Params)
    shop = Shop(plan, lateness=HOUR)
    bought = (events.Line(sku="k1", quantity=1),)
    shop.take(events.Favorited(event_id="e1", ts=0, user_id="u1", sku="k1"), 0)
    if paid_before:
        at = START - 2 * HOUR
        shop.take(
            events.OrderPlaced(event_id="e2", ts=at, user_id="u1", order_id="o1", lines=bought, total=1), at
        )
        shop.take(events.OrderPaid(event_id="e3", ts=at, user_id="u1", order_id="o1"), at)
    call = events.CampaignStage(
        event_id="c", ts=START - HOUR, campaign="d11", stage="encore", starts_at=START, ends_at=START + DAY
    )
    shop.take(call, START - HOUR)
    shop.advance(START + 1)
    (decision,) = shop.decisions
    assert isinstance(decision.outcome, Publish)
    user = shop.user("u1")
    (sent,) = user.contact.sent
    sent.anchor, sent.due = decision.candidate.anchor, decision.candidate.at
    line = events.Line(sku=sku, quantity=1, category=category)
    late = events.OrderPlaced(
        event_id="e9", ts=placed_at, user_id="u1", order_id="o9", lines=(line,), total=1
    )
    assert refuted(user, late, sent, params) == is_wrong


def _stage(number: int, ts: int, ends_at: int) -> events.CampaignStage:
    return events.CampaignStage(
        event_id=f"c{number}@{ts}",
        ts=ts,
        campaign=f"d{number}",
        stage="warmup",
        starts_at=number,
        ends_at=ends_at,
    )


@pytest.mark.parametrize("others", [STAGES_LIMIT - 1, STAGES_LIMIT, 3 * STAGES_LIMIT])
def test_a_stage_said_again_after_many_others_is_not_told_again(others: int) -> None:
    shop = Shop(plan_of({NAME: {"campaigns": {}}}, None), lateness=DAY)
    shop.take(events.Favorited(event_id="e1", ts=0, user_id="u1", sku="k1"), 0)
    for number in range(others + 1):
        shop.take(_stage(number, HOUR + number, START), HOUR + number)
    shop.take(_stage(0, 2 * HOUR, START + DAY), 2 * HOUR)
    shop.take(_stage(others + 1, 2 * HOUR, START), 2 * HOUR)
    told = [d.candidate.anchor for d in shop.decisions if isinstance(d.outcome, Publish)]
    assert told == [f"d{number}:warmup:{number}" for number in range(others + 2)]


def test_a_weather_alert_is_not_told_again_to_who_comes_back_to_the_region_after_many_others() -> None:
    overrides = {"conditions": {"rain": ["umbrella"]}, "min_affinity": 1, "lead": "1h"}
    shop = Shop(plan_of({"weather_scene": overrides}, None), lateness=DAY)

    def look(ts: int) -> None:
        view = events.ProductViewed(event_id=f"v{ts}", ts=ts, user_id="u1", sku="k1", category="umbrella")
        shop.take(view, ts)

    def move(ts: int, region: str) -> None:
        shop.take(events.ProfileUpdated(event_id=f"p{ts}", ts=ts, user_id="u1", region=region), ts)

    look(0)
    move(1, "north")
    for number in range(ALERTS_LIMIT + 1):
        alert: dict[str, Any] = {"region": "north", "condition": "rain", "starts_at": 0, "ends_at": START}
        shop.take(events.WeatherAlert(event_id=f"a{number}", ts=HOUR + number, **alert), HOUR + number)
    move(2 * HOUR, "south")
    for number in range(64):  # so that the event ids of the alerts are forgotten
        look(2 * HOUR + 1 + number)
    move(3 * HOUR, "north")
    told = [d.candidate.anchor for d in shop.decisions if isinstance(d.outcome, Publish)]
    assert sorted(told) == [f"a{number}" for number in range(ALERTS_LIMIT + 1)]
