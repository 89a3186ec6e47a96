"""Can whoever runs beckon from outside set what interface.md names, by exactly these names and shapes?"""

from __future__ import annotations

import pytest

from config.load import load
from triggers.catalog import RULES

NAMED = (
    "policy.enabled=false",
    "rules.cart_abandoned.delay=30m",
    "rules.cart_abandoned.second_delay=null",
    "rules.payment_pending.delay=10m",
    "rules.browse_abandoned.delay=1h",
    "rules.browse_abandoned.min_views=3",
    "rules.favorite_reminder.delay=1d",
    "rules.low_stock.threshold=5",
    "rules.low_stock.watched_for=7d",
    "rules.low_stock.reach_per_unit=null",
    "rules.low_stock.reach_per_unit=2",
    "rules.price_drop.min_drop=0.2",
    "rules.churn_risk.probability=0.7",
    "rules.churn_risk.horizon=8w",
    "rules.churn_risk.one_order_recency=90d",
    "rules.winback.after=[10d, 20d]",
    "rules.replenishment.lead=3d",
    "rules.spend_milestone.ladder=[1000, 2000]",
    "rules.first_order_nudge.delay=1h",
    "orders.count_on=placed",
    "source.kind=kafka",
    "state=memory",
    "delivery.guarantee=at_least_once",
    "engine.commit_interval=10ms",
    "engine.commit_age=100ms",
    "time.out_of_orderness=1s",
    "time.allowed_lateness=2h",
    "http.bind=127.0.0.1",
    "http.port=0",
)
CATALOGUE = (
    "cart_abandoned payment_pending browse_abandoned favorite_reminder low_stock back_in_stock price_drop churn_risk"
    " unfollow_retention stage_changed segment_changed winback first_order_nudge welcome_pack post_purchase_care"
    " replenishment cross_sell return_care complaint_care tier_changed tier_near points_expiring birthday_upcoming"
    " checkin_streak spend_milestone referral_reward share_reward weather_scene calendar_scene campaign_stage pattern"
)


@pytest.mark.parametrize("override", NAMED)
def test_it_can_be_set(override: str) -> None:
    load(None, {}, [override])


def test_the_catalogue_is_whole_and_each_rule_can_be_switched_off_alone() -> None:
    names = {rule.name for rule in RULES}
    assert names == set(CATALOGUE.split())
    assert len(RULES) == len(names) == 31
    for rule in names:
        chosen = load(None, {}, [f"rules.{rule}.enabled=false"])
        assert {name for name, params in chosen.rules.items() if not params.enabled} == {rule}
