"""Which late order shows that a coupon of the encore was wrong?"""

from __future__ import annotations

import pytest

from state import events
from state.calendar import DAY, HOUR
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
